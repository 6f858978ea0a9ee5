#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "plane.h"

typedef struct {
  const uint8_t *bytes;
  size_t rest;
} source;

static void on_error(png_structp png, png_const_charp message) {
  cm_refuse(png_get_error_ptr(png), CM_BROKEN, message);
  longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static void read_bytes(png_structp png, png_bytep target, size_t count) {
  source *from = png_get_io_ptr(png);
  if (count > from->rest) png_error(png, "truncated: the data ends before the picture");
  memcpy(target, from->bytes, count);
  from->bytes += count;
  from->rest -= count;
}

static unsigned orientation(png_structp png, png_infop info) {
#ifdef PNG_eXIf_SUPPORTED
  png_uint_32 size = 0;
  png_bytep exif = NULL;
  if (png_get_eXIf_1(png, info, &size, &exif)) return cm_exif_orientation(exif, size);
#endif
  return 1;
}

int cm_decode_png(const uint8_t *bytes, size_t size, cm_picture *picture) {
  source from = {bytes, size};
  uint8_t *volatile memory = NULL;
  png_infop info = NULL;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, picture, on_error, on_warning);
  if (png) info = png_create_info_struct(png);
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    return cm_refuse(picture, CM_LIMIT, "limit: no memory for the decoder");
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    free(memory);
    return CM_BROKEN;
  }
  png_set_read_fn(png, &from, read_bytes);
  // Our own limit names itself; libpng's own would be an error like any other.
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
  png_set_chunk_malloc_max(png, 16 << 20);
  png_read_info(png, info);

  uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  int gray = !(png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR);
  unsigned upright = orientation(png, info);
  int status = CM_DECODED;
  if ((uint64_t)width * height > picture->most_pixels) {
    status = cm_begin(picture, width, height, 1, 1);
  } else {
    png_set_expand(png);  // palette to RGB, 1, 2 and 4 bits to 8, transparent colours to alpha
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t row_size = png_get_rowbytes(png, info);
    unsigned channels = png_get_channels(png, info);
    if (row_size != (size_t)width * channels || channels != (gray ? 1 : 3)) png_error(png, "unknown pixel layout");
    // The passes of an interlaced picture each touch all rows, so all must be kept until the last.
    memory = malloc(passes > 1 ? row_size * height : row_size);
    status = memory ? cm_begin(picture, width, height, gray ? 1 : 4, upright)
                    : cm_refuse(picture, CM_LIMIT, "limit: no memory for the picture");
    for (int pass = 0; pass < passes && status == CM_DECODED; pass++) {
      for (uint32_t y = 0; y < height; y++) {
        uint8_t *row = passes > 1 ? memory + y * row_size : memory;
        png_read_row(png, row, NULL);
        if (pass + 1 < passes) continue;
        if (gray) cm_put_gray(picture, y, row);
        else cm_put_rgb(picture, y, row, 3);
      }
    }
  }
  png_destroy_read_struct(&png, &info, NULL);
  free(memory);
  return status;
}
