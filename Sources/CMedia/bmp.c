#include "frames.h"

static uint32_t little_endian(const uint8_t *at, int bytes) {
  uint32_t value = 0;
  for (int i = bytes; i > 0; i--) value = value << 8 | at[i - 1];
  return value;
}

void media_decode_bmp(const media_request *request, media_result *result) {
  *result = (media_result){0};
  const uint8_t *bytes = request->bytes;
  if (request->count < 26) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  // File header (14), size of the picture header (4), then width and height: 16 bits each in the oldest header (12),
  // else 32, where a negative height says that the first row is the top one.
  uint32_t width, height;
  if (little_endian(bytes + 14, 4) == 12) {
    width = little_endian(bytes + 18, 2), height = little_endian(bytes + 20, 2);
  } else {
    width = little_endian(bytes + 18, 4), height = little_endian(bytes + 22, 4);
    if (height >> 31) height = 0 - height;
  }
  if (media_check_size(request, result, width, height)) return;
  media_decode_with(AV_CODEC_ID_BMP, request, result);
}
