#include <stdlib.h>
#include <string.h>

#include "plane.h"

static uint32_t number(const uint8_t *at, int bytes) {
  uint32_t value = 0;
  for (int i = bytes; i > 0; i--) value = value << 8 | at[i - 1];
  return value;
}

// The entry that shows most: width and height (0 stands for 256), then bits a pixel.
// A directory is a header (6) and entries of 16 bytes: width, height, colours, 0, planes (2), bits (2), size (4), offset (4).
static const uint8_t *largest_entry(const uint8_t *bytes, size_t count) {
  const uint8_t *best = NULL;
  uint64_t most = 0;
  for (size_t i = 0, entries = number(bytes + 4, 2); i < entries && 6 + 16 * (i + 1) <= count; i++) {
    const uint8_t *entry = bytes + 6 + 16 * i;
    uint64_t pixels = (uint64_t)(entry[0] ? entry[0] : 256) * (entry[1] ? entry[1] : 256);
    uint64_t weight = pixels << 16 | number(entry + 6, 2);
    if (weight > most) most = weight, best = entry;
  }
  return best;
}

// A bitmap without its file header, and with a mask of one bit a pixel below: the height counts both.
static void decode_bitmap(const media_request *request, media_result *result, const uint8_t *bytes, size_t count) {
  if (count < 40 || number(bytes, 4) < 40 || number(bytes, 4) > count) {
    media_fail(result, MEDIA_BROKEN, "ico: no bitmap header");
    return;
  }
  uint32_t bits = number(bytes + 14, 2), colours = number(bytes + 32, 4), compression = number(bytes + 16, 4);
  if (bits <= 8 && (colours == 0 || colours > 1u << bits)) colours = 1u << bits;
  uint64_t offset = 14 + (uint64_t)number(bytes, 4) + (bits <= 8 ? 4 * colours : compression == 3 ? 12 : 0);
  if (offset > count + 14) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  uint8_t *file = calloc(1, 14 + count + MEDIA_INPUT_PADDING);
  if (!file) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return;
  }
  uint32_t size = (uint32_t)(14 + count), height = number(bytes + 8, 4) / 2;
  memcpy(file, "BM", 2);
  for (int i = 0; i < 4; i++) file[2 + i] = (uint8_t)(size >> 8 * i), file[10 + i] = (uint8_t)(offset >> 8 * i);
  memcpy(file + 14, bytes, count);
  for (int i = 0; i < 4; i++) file[22 + i] = (uint8_t)(height >> 8 * i);
  media_request bitmap = *request;
  bitmap.bytes = file;
  bitmap.count = 14 + count;
  media_decode_bmp(&bitmap, result);
  free(file);
}

void media_decode_ico(const media_request *request, media_result *result) {
  *result = (media_result){0};
  const uint8_t *entry = request->count < 22 ? NULL : largest_entry(request->bytes, request->count);
  if (!entry) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  uint32_t count = number(entry + 8, 4), offset = number(entry + 12, 4);
  if (offset > request->count || count > request->count - offset || count < 40) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  const uint8_t *bytes = request->bytes + offset;
  if (memcmp(bytes, "\x89PNG", 4) == 0) {
    media_request png = *request;
    png.bytes = bytes;
    png.count = count;
    media_decode_png(&png, result);
  } else {
    decode_bitmap(request, result, bytes, count);
  }
}
