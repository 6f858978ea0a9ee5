#include <stdlib.h>
#include <string.h>

#include "frames.h"

// Where the first picture of a GIF ends, and where its graphic control extension keeps its flags (0: it has none).
// GIF89a: header (13), global colours, then blocks: 0x21 an extension, 0x2C a picture, 0x3B the end.
// Returns 0 when the file ends before.
static size_t first_picture_end(const uint8_t *bytes, size_t count, size_t *control) {
  size_t at = 13;
  *control = 0;
  if (count < at) return 0;
  if (bytes[10] & 0x80) at += (size_t)3 << ((bytes[10] & 7) + 1);
  while (at + 2 < count) {
    int is_picture = bytes[at] == 0x2C;
    if (is_picture) {
      if (count - at < 11) return 0;
      uint8_t flags = bytes[at + 9];
      at += 10;
      if (flags & 0x80) at += (size_t)3 << ((flags & 7) + 1);
      at += 1;  // LZW's first code size
    } else if (bytes[at] == 0x21) {
      if (bytes[at + 1] == 0xF9 && bytes[at + 2] == 4) *control = at + 3;
      at += 2;
    } else {
      return 0;
    }
    // Sub-blocks: a length and as many bytes, until a length of 0.
    while (at < count && bytes[at] != 0) at += (size_t)bytes[at] + 1;
    if (at >= count) return 0;
    at += 1;
    if (is_picture) return at;
  }
  return 0;
}

void media_decode_gif(const media_request *request, media_result *result) {
  *result = (media_result){0};
  const uint8_t *bytes = request->bytes;
  if (request->count < 13) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  if (media_check_size(request, result, bytes[6] | bytes[7] << 8, bytes[8] | bytes[9] << 8)) return;
  size_t control, end = first_picture_end(bytes, request->count, &control);
  if (end == 0 || control >= end) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  uint8_t *packet = malloc(end + AV_INPUT_BUFFER_PADDING_SIZE);
  if (!packet) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return;
  }
  memcpy(packet, bytes, end);
  memset(packet + end, 0, AV_INPUT_BUFFER_PADDING_SIZE);
  // Transparent pixels are painted in their palette's colour: alpha is dropped, the colour under it kept.
  if (control) packet[control] &= 0xFE;
  AVFrame *frame = media_decode_packet(AV_CODEC_ID_GIF, packet, end, request, result);
  if (frame) media_put_frame(frame, request, result);
  av_frame_free(&frame);
  free(packet);
}
