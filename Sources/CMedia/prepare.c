#include <malloc.h>
#include <string.h>

#include "CMedia.h"

// One pixel in each format, written by Pillow 13.
static const uint8_t one_jpeg[] = {
  255, 216, 255, 224, 0, 16, 74, 70, 73, 70, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 255, 219, 0, 67, 0, 8, 6, 6, 7, 6, 5, 8, 7,
  7, 7, 9, 9, 8, 10, 12, 20, 13, 12, 11, 11, 12, 25, 18, 19, 15, 20, 29, 26, 31, 30, 29, 26, 28, 28, 32, 36, 46, 39,
  32, 34, 44, 35, 28, 28, 40, 55, 41, 44, 48, 49, 52, 52, 52, 31, 39, 57, 61, 56, 50, 60, 46, 51, 52, 50, 255, 192, 0,
  11, 8, 0, 1, 0, 1, 1, 1, 17, 0, 255, 196, 0, 20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 255, 196, 0,
  20, 16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 218, 0, 8, 1, 1, 0, 0, 63, 0, 17, 127, 255, 217,
};
static const uint8_t one_png[] = {
  137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0, 144, 119, 83,
  222, 0, 0, 0, 12, 73, 68, 65, 84, 120, 156, 99, 224, 18, 145, 3, 0, 0, 104, 0, 61, 84, 8, 163, 247, 0, 0, 0, 0, 73,
  69, 78, 68, 174, 66, 96, 130,
};
static const uint8_t one_webp[] = {
  82, 73, 70, 70, 46, 0, 0, 0, 87, 69, 66, 80, 86, 80, 56, 32, 34, 0, 0, 0, 112, 1, 0, 157, 1, 42, 1, 0, 1, 0, 1, 64,
  38, 37, 148, 2, 116, 1, 64, 0, 0, 254, 252, 55, 129, 87, 247, 212, 232, 62, 43, 224, 0, 0,
};
static const uint8_t one_gif[] = {
  71, 73, 70, 56, 55, 97, 1, 0, 1, 0, 129, 0, 0, 0, 0, 51, 0, 0, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0, 0, 1, 0, 1, 0, 0, 8,
  4, 0, 1, 4, 4, 0, 59,
};
static const uint8_t one_bmp[] = {
  66, 77, 58, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0, 0, 0, 0, 0, 4, 0, 0,
  0, 196, 14, 0, 0, 196, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 30, 20, 10, 0,
};

static int decodes(
  void (*decode)(const media_request *, media_result *), const uint8_t *bytes, size_t count
) {
  uint8_t padded[512] = {0};
  float sample = 0;
  media_result result;
  if (count > sizeof padded - MEDIA_INPUT_PADDING) return 0;
  memcpy(padded, bytes, count);
  const media_request request = {
    .bytes = padded, .count = count, .samples = &sample, .capacity = sizeof sample, .most_pixels = 1,
  };
  decode(&request, &result);
  return result.status == MEDIA_DECODED && result.width == 1 && result.height == 1;
}

int media_prepare(void) {
  // Fixed thresholds: left alone, malloc learns from big pictures to keep their memory.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
  int all = decodes(media_decode_jpeg, one_jpeg, sizeof one_jpeg) && decodes(media_decode_png, one_png, sizeof one_png)
    && decodes(media_decode_webp, one_webp, sizeof one_webp) && decodes(media_decode_gif, one_gif, sizeof one_gif)
    && decodes(media_decode_bmp, one_bmp, sizeof one_bmp);
  return all ? 0 : -1;
}
