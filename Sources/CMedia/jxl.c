#include <stdlib.h>

#include <jxl/decode.h>

#include "plane.h"

// One row or a part of one, as the library has it ready. Rows may come in any order.
typedef struct {
  float *samples;
  uint32_t width, height;
} target;

static void put(void *context, size_t x, size_t y, size_t count, const void *pixels) {
  const target *t = context;
  if (y >= t->height || x > t->width || count > t->width - x) return;
  media_luma(t->samples + y * t->width + x, pixels, (uint32_t)count, 3, 0, 1, 2);
}

// Pictures come out upright, as the library turns them by its own header.
static void decode(JxlDecoder *decoder, const media_request *request, media_result *result) {
  static const JxlPixelFormat rgb = {.num_channels = 3, .data_type = JXL_TYPE_UINT8, .endianness = JXL_NATIVE_ENDIAN};
  media_plane plane = {0};
  target t = {.samples = request->samples};
  if (JxlDecoderSubscribeEvents(decoder, JXL_DEC_BASIC_INFO | JXL_DEC_FULL_IMAGE) != JXL_DEC_SUCCESS
    || JxlDecoderSetInput(decoder, request->bytes, request->count) != JXL_DEC_SUCCESS) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return;
  }
  JxlDecoderCloseInput(decoder);
  for (;;) {
    switch (JxlDecoderProcessInput(decoder)) {
    case JXL_DEC_BASIC_INFO: {
      JxlBasicInfo info;
      if (JxlDecoderGetBasicInfo(decoder, &info) != JXL_DEC_SUCCESS) {
        media_fail(result, MEDIA_BROKEN, "jxl: no basic information");
        return;
      }
      if (media_plane_open(&plane, request, result, info.xsize, info.ysize, 1, 1)) return;
      t.width = info.xsize, t.height = info.ysize;
      break;
    }
    case JXL_DEC_NEED_IMAGE_OUT_BUFFER:
      if (JxlDecoderSetImageOutCallback(decoder, &rgb, put, &t) != JXL_DEC_SUCCESS) {
        media_fail(result, MEDIA_UNSUPPORTED, "jxl: no RGB of this picture");
        return;
      }
      break;
    case JXL_DEC_FULL_IMAGE: return;  // the first picture is whole
    case JXL_DEC_NEED_MORE_INPUT: media_fail(result, MEDIA_BROKEN, "premature end of data"); return;
    case JXL_DEC_SUCCESS: media_fail(result, MEDIA_BROKEN, "jxl: no picture"); return;
    default: media_fail(result, MEDIA_BROKEN, "jxl: bitstream error"); return;
    }
  }
}

void media_decode_jxl(const media_request *request, media_result *result) {
  *result = (media_result){0};
  JxlDecoder *decoder = JxlDecoderCreate(NULL);  // without a runner, all work is done on this thread
  if (!decoder) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return;
  }
  decode(decoder, request, result);
  JxlDecoderDestroy(decoder);
}
