#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "plane.h"

typedef struct {
  jmp_buf escape;
  const uint8_t *next;
  size_t left;
  media_result *result;
  int out_of_memory;
} state;

static void fail(png_structp png, png_const_charp message) {
  state *s = png_get_error_ptr(png);
  if (s->out_of_memory) {
    media_fail(s->result, MEDIA_MEMORY, "out of memory");
  } else {
    media_fail(s->result, MEDIA_BROKEN, "png: %s", message);
  }
  longjmp(s->escape, 1);
}

static void say_nothing(png_structp png, png_const_charp message) { (void)png, (void)message; }

static png_voidp allocate(png_structp png, png_alloc_size_t size) {
  void *memory = malloc(size);
  if (!memory) ((state *)png_get_mem_ptr(png))->out_of_memory = 1;
  return memory;
}

static void release(png_structp png, png_voidp memory) {
  (void)png;
  free(memory);
}

static void read_bytes(png_structp png, png_bytep into, size_t count) {
  state *s = png_get_io_ptr(png);
  if (count > s->left) {
    media_fail(s->result, MEDIA_BROKEN, "premature end of data");
    longjmp(s->escape, 1);
  }
  memcpy(into, s->next, count);
  s->next += count;
  s->left -= count;
}

static uint32_t big_endian(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int orientation_of(png_structp png, png_infop info) {
  png_uint_32 count = 0;
  png_bytep exif = NULL;
  if (png_get_eXIf_1(png, info, &count, &exif) == 0 || !exif) return 1;
  return media_exif_orientation(exif, count);
}

// Rows of 1 or 3 bytes a pixel come out, 8 bits a channel. 16 bits lose their low byte, as in Pillow.
static void set_transforms(png_structp png, int colour_type) {
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  if (colour_type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (!(colour_type & PNG_COLOR_MASK_COLOR)) png_set_expand_gray_1_2_4_to_8(png);
}

static void decode(
  png_structp png, png_infop info, const media_request *request, media_result *result, media_plane *plane,
  uint8_t *volatile *rows
) {
  // What the picture does not need is not parsed: profiles, texts, suggested palettes, animation.
  static const png_byte ignored[] =
    "iCCP\0tEXt\0zTXt\0iTXt\0sPLT\0hIST\0pCAL\0sCAL\0oFFs\0tIME\0sRGB\0gAMA\0cHRM\0bKGD\0pHYs\0sBIT";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, ignored, sizeof ignored / 5);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_read_info(png, info);
  uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  int colour_type = png_get_color_type(png, info);
  int is_gray = !(colour_type & PNG_COLOR_MASK_COLOR);
  int orientation = orientation_of(png, info);
  if (media_plane_open(plane, request, result, width, height, orientation, !is_gray)) return;
  set_transforms(png, colour_type);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t row_size = png_get_rowbytes(png, info);
  if (row_size != (size_t)width * (is_gray ? 1 : 3)) {
    media_fail(result, MEDIA_UNSUPPORTED, "png: colour type %d", colour_type);
    return;
  }

  // An interlaced picture comes in seven passes over all rows. Without turning, colour pixels (3 bytes) wait at the
  // end of the plane (4 bytes a sample) and become luma from front to back: a sample never reaches the pixels after it.
  size_t kept = passes > 1 ? height : 1;
  uint8_t *pixels;
  if (passes > 1 && is_gray && orientation == 1) {
    pixels = request->samples;
  } else if (passes > 1 && !is_gray && orientation == 1) {
    pixels = (uint8_t *)request->samples + (size_t)width * height;
  } else {
    pixels = *rows = malloc(kept * row_size);
    if (!pixels) {
      media_fail(result, MEDIA_MEMORY, "out of memory");
      return;
    }
  }
  for (int pass = 0; passes > 1 && pass < passes; pass++) {
    for (uint32_t y = 0; y < height; y++) png_read_row(png, pixels + y * row_size, NULL);
  }
  for (uint32_t y = 0; y < height; y++) {
    uint8_t *row = passes > 1 ? pixels + y * row_size : pixels;
    if (passes == 1) png_read_row(png, row, NULL);
    void *samples = media_plane_row(plane);
    if (!is_gray) {
      media_luma(samples, row, width, 3, 0, 1, 2);
    } else if (samples != row) {
      memcpy(samples, row, width);
    }
    media_plane_row_done(plane);
  }
}

void media_decode_png(const media_request *request, media_result *result) {
  *result = (media_result){0};
  // The signature, then IHDR: length, name, width, height. Looked at here because libpng allocates as it reads.
  if (request->count < 24) {
    media_fail(result, MEDIA_BROKEN, "premature end of data");
    return;
  }
  if (memcmp(request->bytes + 12, "IHDR", 4) == 0
    && media_check_size(request, result, big_endian(request->bytes + 16), big_endian(request->bytes + 20))) return;

  state s = {.next = request->bytes, .left = request->count, .result = result};
  media_plane plane = {0};
  uint8_t *volatile rows = NULL;
  png_structp volatile png = NULL;
  png_infop volatile info = NULL;
  if (setjmp(s.escape) == 0) {
    png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &s, fail, say_nothing, &s, allocate, release);
    if (png) info = png_create_info_struct(png);
    if (info) {
      png_set_read_fn(png, &s, read_bytes);
      decode(png, info, request, result, &plane, &rows);
    } else {
      media_fail(result, MEDIA_MEMORY, "out of memory");
    }
  }
  png_structp made = png;
  png_infop made_info = info;
  if (made) png_destroy_read_struct(&made, &made_info, NULL);
  media_plane_close(&plane);
  free(rows);
}
