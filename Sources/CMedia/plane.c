#include "plane.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void media_fail(media_result *result, int status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(result->reason, sizeof result->reason, format, arguments);
  va_end(arguments);
  for (char *c = result->reason; *c; c++) {
    if (*c < 0x20 || *c > 0x7e) *c = '?';
  }
  result->status = status;
}

int media_check_size(const media_request *request, media_result *result, uint64_t width, uint64_t height) {
  if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX) {
    media_fail(result, MEDIA_BROKEN, "size is %llu x %llu", (unsigned long long)width, (unsigned long long)height);
    return -1;
  }
  if (width > MEDIA_MOST_SIDE || height > MEDIA_MOST_SIDE) {
    media_fail(
      result, MEDIA_LIMIT, "limit: %llu pixels wide or high, at most %d",
      (unsigned long long)(width > height ? width : height), MEDIA_MOST_SIDE);
    return -1;
  }
  if (width * height > request->most_pixels) {
    media_fail(
      result, MEDIA_LIMIT, "limit: %llu pixels, at most %llu", (unsigned long long)(width * height),
      (unsigned long long)request->most_pixels);
    return -1;
  }
  return 0;
}

int media_plane_open(
  media_plane *plane, const media_request *request, media_result *result, uint32_t width, uint32_t height,
  int orientation, int is_float
) {
  size_t sample_size = is_float ? sizeof(float) : 1;
  *plane = (media_plane){
    .samples = request->samples, .sample_size = sample_size, .width = width, .height = height,
    .orientation = orientation,
  };
  if (media_check_size(request, result, width, height)) return -1;
  if ((uint64_t)width * height > request->capacity / sample_size) {
    media_fail(
      result, MEDIA_LIMIT, "limit: %llu bytes of output, at most %llu",
      (unsigned long long)width * height * sample_size, (unsigned long long)request->capacity);
    return -1;
  }
  if (orientation != 1 && orientation != 4) {
    plane->band = malloc((size_t)PLANE_BAND_ROWS * width * sample_size);
    if (!plane->band) {
      media_fail(result, MEDIA_MEMORY, "out of memory");
      return -1;
    }
  }
  int lies = orientation >= 5;
  result->width = lies ? height : width;
  result->height = lies ? width : height;
  if (result->picture_width == 0) {
    result->picture_width = result->width;
    result->picture_height = result->height;
  }
  result->is_float = is_float;
  return 0;
}

void media_plane_close(media_plane *plane) {
  free(plane->band);
  plane->band = NULL;
}

void *media_plane_row(media_plane *plane) {
  size_t row_size = (size_t)plane->width * plane->sample_size;
  if (plane->band) return plane->band + plane->band_rows * row_size;
  uint32_t row = plane->orientation == 4 ? plane->height - 1 - plane->row : plane->row;
  return plane->samples + row * row_size;
}

// Stored sample (x, y) belongs at `first + x * step_x + y * step_y` of the upright plane.
// Source: EXIF 2.32, tag 0x0112: where the 0th row and the 0th column of the stored picture are.
static void steps(const media_plane *plane, ptrdiff_t *first, ptrdiff_t *step_x, ptrdiff_t *step_y) {
  ptrdiff_t w = plane->width, h = plane->height;
  switch (plane->orientation) {
  case 2: *first = w - 1; *step_x = -1; *step_y = w; break;
  case 3: *first = w * h - 1; *step_x = -1; *step_y = -w; break;
  case 5: *first = 0; *step_x = h; *step_y = 1; break;
  case 6: *first = h - 1; *step_x = h; *step_y = -1; break;
  case 7: *first = w * h - 1; *step_x = -h; *step_y = -1; break;
  case 8: *first = (w - 1) * h; *step_x = -h; *step_y = 1; break;
  default: *first = 0; *step_x = 1; *step_y = w; break;
  }
}

#define PLACE_BAND(type)                                                                        \
  do {                                                                                          \
    type *to = (type *)(void *)plane->samples + first + (ptrdiff_t)first_row * step_y;          \
    const type *from = (const type *)(const void *)plane->band;                                 \
    for (ptrdiff_t x = 0; x < plane->width; x++) {                                              \
      for (ptrdiff_t y = 0; y < plane->band_rows; y++) {                                        \
        to[x * step_x + y * step_y] = from[y * plane->width + x];                               \
      }                                                                                         \
    }                                                                                           \
  } while (0)

void media_plane_row_done(media_plane *plane) {
  plane->row += 1;
  if (!plane->band) return;
  plane->band_rows += 1;
  if (plane->band_rows < PLANE_BAND_ROWS && plane->row < plane->height) return;
  ptrdiff_t first, step_x, step_y;
  steps(plane, &first, &step_x, &step_y);
  uint32_t first_row = plane->row - plane->band_rows;
  if (plane->sample_size == 1) {
    PLACE_BAND(uint8_t);
  } else {
    PLACE_BAND(float);
  }
  plane->band_rows = 0;
}

void media_luma(
  float *luma, const uint8_t *pixels, uint32_t count, size_t stride, size_t red, size_t green, size_t blue
) {
// The reference sums in double from left to right and rounds once: a fused multiply-add would round differently.
#pragma STDC FP_CONTRACT OFF
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *pixel = pixels + i * stride;
    luma[i] = (float)(0.299 * (double)pixel[red] + 0.587 * (double)pixel[green] + 0.114 * (double)pixel[blue]);
  }
}
