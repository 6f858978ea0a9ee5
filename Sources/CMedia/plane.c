#include "plane.h"

#include <stdio.h>
#include <string.h>

int cm_refuse(cm_picture *picture, int status, const char *message) {
  size_t length = 0;
  for (; message[length] && length + 1 < sizeof picture->message; length++) {
    char character = message[length];
    picture->message[length] = character >= ' ' && character <= '~' ? character : '?';
  }
  picture->message[length] = 0;
  return status;
}

int cm_begin(cm_picture *picture, uint32_t width, uint32_t height, uint32_t sample_size, unsigned orientation) {
  uint64_t pixels = (uint64_t)width * height;
  if (pixels == 0) return cm_refuse(picture, CM_BROKEN, "picture without pixels");
  if (pixels > picture->most_pixels) {
    char message[120];
    snprintf(message, sizeof message, "limit: %llu pixels, at most %llu", (unsigned long long)pixels,
             (unsigned long long)picture->most_pixels);
    return cm_refuse(picture, CM_LIMIT, message);
  }
  picture->source_width = width;
  picture->source_height = height;
  picture->orientation = orientation >= 2 && orientation <= 8 ? orientation : 1;
  int turned = picture->orientation >= 5;
  picture->width = turned ? height : width;
  picture->height = turned ? width : height;
  picture->sample_size = sample_size;
  picture->samples = picture->allocate(picture->context, (size_t)pixels * sample_size);
  return picture->samples ? CM_DECODED : cm_refuse(picture, CM_LIMIT, "limit: no memory for the picture");
}

/// Where the first pixel of source row `y` goes, and how far apart its pixels are there, in samples.
static int64_t place(const cm_picture *picture, uint32_t y, int64_t *step) {
  int64_t w = picture->source_width, h = picture->source_height, row = y;
  switch (picture->orientation) {
    case 2: *step = -1; return row * w + w - 1;            // mirrored left to right
    case 3: *step = -1; return (h - 1 - row) * w + w - 1;  // turned by half
    case 4: *step = 1; return (h - 1 - row) * w;           // mirrored top to bottom
    case 5: *step = h; return row;                         // transposed
    case 6: *step = h; return h - 1 - row;                 // turned right
    case 7: *step = -h; return (w - 1) * h + h - 1 - row;  // transposed along the other diagonal
    case 8: *step = -h; return (w - 1) * h + row;          // turned left
    default: *step = 1; return row * w;
  }
}

void cm_put_gray(cm_picture *picture, uint32_t y, const uint8_t *row) {
  int64_t step;
  uint8_t *target = (uint8_t *)picture->samples + place(picture, y, &step);
  if (step == 1) {
    memcpy(target, row, picture->source_width);
    return;
  }
  for (uint32_t x = 0; x < picture->source_width; x++, target += step) *target = row[x];
}

void cm_put_rgb(cm_picture *picture, uint32_t y, const uint8_t *row, unsigned bytes) {
#pragma STDC FP_CONTRACT OFF  // A fused multiply-add would round once less than the reference.
  int64_t step;
  float *target = (float *)picture->samples + place(picture, y, &step);
  for (uint32_t x = 0; x < picture->source_width; x++, row += bytes) {
    target[x * step] = (float)(0.299 * row[0] + 0.587 * row[1] + 0.114 * row[2]);
  }
}

unsigned cm_exif_orientation(const uint8_t *bytes, size_t size) {
  if (size < 8) return 1;
  int little;
  if (memcmp(bytes, "II*\0", 4) == 0) little = 1;
  else if (memcmp(bytes, "MM\0*", 4) == 0) little = 0;
  else return 1;
#define SHORT(at) (little ? (unsigned)(bytes[at] | bytes[(at) + 1] << 8) : (unsigned)(bytes[at] << 8 | bytes[(at) + 1]))
  size_t directory = little ? SHORT(4) | (size_t)SHORT(6) << 16 : (size_t)SHORT(4) << 16 | SHORT(6);
  if (directory > size - 2) return 1;
  unsigned count = SHORT(directory);
  for (size_t entry = directory + 2; count > 0 && entry + 12 <= size; entry += 12, count--) {
    // Tag 0x0112, one SHORT, in the entry itself.
    if (SHORT(entry) == 0x0112) return SHORT(entry + 2) == 3 && SHORT(entry + 8) <= 8 ? SHORT(entry + 8) : 1;
  }
#undef SHORT
  return 1;
}
