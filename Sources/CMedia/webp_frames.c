#include <string.h>

#include <webp/demux.h>

#include "plane.h"

// Composed frames of an animation come as RGBA; where they are clear, they are black.
static void put(const uint8_t *pixels, const WebPAnimInfo *info, const media_request *request, media_result *result) {
  media_plane plane = {0};
  if (media_plane_open(&plane, request, result, info->canvas_width, info->canvas_height, 1, 1) == 0) {
    for (uint32_t y = 0; y < info->canvas_height; y++) {
      media_luma(media_plane_row(&plane), pixels + (size_t)y * info->canvas_width * 4, info->canvas_width, 4, 0, 1, 2);
      media_plane_row_done(&plane);
    }
  }
  media_plane_close(&plane);
}

static void decode(WebPAnimDecoder *decoder, const media_stream *stream, const media_request *request, media_result *result) {
  WebPAnimInfo info;
  if (!WebPAnimDecoderGetInfo(decoder, &info)) {
    media_fail(result, MEDIA_BROKEN, "webp: no animation");
    return;
  }
  int shown_until = 0;
  while (WebPAnimDecoderHasMoreFrames(decoder)) {
    uint8_t *pixels = NULL;
    int end = 0;
    if (!WebPAnimDecoderGetNext(decoder, &pixels, &end)) {
      media_fail(result, MEDIA_BROKEN, "webp: frame %u cannot be decoded", result->frames + 1);
      return;
    }
    if (result->frames == request->most_frames) {
      media_fail(result, MEDIA_LIMIT, "limit: %llu frames", (unsigned long long)request->most_frames);
      return;
    }
    media_result one = {0};
    put(pixels, &info, request, &one);
    if (one.status != MEDIA_DECODED) {
      *result = one;
      return;
    }
    result->frames += 1;
    if (stream->frame(stream->context, &one, shown_until / 1000.0) == MEDIA_ENOUGH) return;
    shown_until = end;
  }
}

void media_decode_webp_frames(const media_stream *stream, const media_request *request, media_result *result) {
  *result = (media_result){0};
  WebPData file = {request->bytes, request->count};
  WebPBitstreamFeatures features;
  // The decoder allocates two canvases at once: the size is looked at before.
  if (WebPGetFeatures(request->bytes, request->count, &features) != VP8_STATUS_OK) {
    media_fail(result, MEDIA_BROKEN, "webp: no header");
    return;
  }
  if (media_check_size(request, result, (uint64_t)features.width, (uint64_t)features.height)) return;
  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options)) {
    media_fail(result, MEDIA_UNSUPPORTED, "webp: library version");
    return;
  }
  options.use_threads = 0;
  WebPAnimDecoder *decoder = WebPAnimDecoderNew(&file, &options);
  if (!decoder) {
    media_fail(result, MEDIA_BROKEN, "webp: the animation cannot be opened");
    return;
  }
  decode(decoder, stream, request, result);
  WebPAnimDecoderDelete(decoder);
}
