#define _GNU_SOURCE  // memmem
// Formats in which a file is one packet of one of FFmpeg's codecs. Each size is looked at before the codec allocates.
#include <string.h>

#include "frames.h"

// The next number of a PNM header; comments and white space before it are skipped. 0 when there is none.
static uint64_t next_number(const uint8_t *bytes, size_t count, size_t *at) {
  while (*at < count && (bytes[*at] < '0' || bytes[*at] > '9')) {
    if (bytes[*at] == '#') {
      while (*at < count && bytes[*at] != '\n') *at += 1;
    } else {
      *at += 1;
    }
  }
  uint64_t value = 0;
  for (; *at < count && bytes[*at] >= '0' && bytes[*at] <= '9'; *at += 1) {
    if (value <= UINT32_MAX) value = value * 10 + (uint64_t)(bytes[*at] - '0');
  }
  return value;
}

void media_decode_pnm(const media_request *request, media_result *result) {
  *result = (media_result){0};
  if (request->count < 7) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  size_t at = 2;
  uint64_t width = next_number(request->bytes, request->count, &at);
  uint64_t height = next_number(request->bytes, request->count, &at);
  if (media_check_size(request, result, width, height)) return;
  static const enum AVCodecID codecs[] = {
    AV_CODEC_ID_PBM, AV_CODEC_ID_PGM, AV_CODEC_ID_PPM, AV_CODEC_ID_PBM, AV_CODEC_ID_PGM, AV_CODEC_ID_PPM,
    AV_CODEC_ID_PAM,
  };
  uint8_t kind = request->bytes[1];
  media_decode_with(kind >= '1' && kind <= '7' ? codecs[kind - '1'] : AV_CODEC_ID_PPM, request, result);
}

void media_decode_targa(const media_request *request, media_result *result) {
  *result = (media_result){0};
  const uint8_t *bytes = request->bytes;
  if (request->count < 18) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  if (media_check_size(request, result, bytes[12] | bytes[13] << 8, bytes[14] | bytes[15] << 8)) return;
  media_decode_with(AV_CODEC_ID_TARGA, request, result);
}

static uint64_t big_endian(const uint8_t *at) {
  return (uint64_t)at[0] << 24 | (uint64_t)at[1] << 16 | (uint64_t)at[2] << 8 | at[3];
}

void media_decode_jpeg2000(const media_request *request, media_result *result) {
  *result = (media_result){0};
  // SOC and SIZ begin the codestream, bare or in a box: then length, capabilities, and the far corner of the grid.
  static const uint8_t start[] = {0xff, 0x4f, 0xff, 0x51};
  const uint8_t *found = memmem(request->bytes, request->count, start, sizeof start);
  size_t left = found ? request->count - (size_t)(found - request->bytes) : 0;
  if (left < 24) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  if (media_check_size(request, result, big_endian(found + 8), big_endian(found + 12))) return;
  media_decode_with(AV_CODEC_ID_JPEG2000, request, result);
}

void media_decode_photoshop(const media_request *request, media_result *result) {
  *result = (media_result){0};
  // Signature (4), version (2), reserved (6), channels (2), height (4), width (4).
  if (request->count < 26) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  if (media_check_size(request, result, big_endian(request->bytes + 18), big_endian(request->bytes + 14))) return;
  media_decode_with(AV_CODEC_ID_PSD, request, result);
}
