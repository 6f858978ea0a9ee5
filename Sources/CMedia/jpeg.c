#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "plane.h"

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf back;
  cm_picture *picture;
  int status;
  int truncated;
} error_manager;

static void on_error(j_common_ptr info) {
  error_manager *errors = (error_manager *)info->err;
  char message[JMSG_LENGTH_MAX];
  errors->base.format_message(info, message);
  if (info->err->msg_code == JERR_IMAGE_TOO_BIG) {
    snprintf(message, sizeof message, "limit: a side of more than %ld pixels", (long)JPEG_MAX_DIMENSION);
    errors->status = CM_LIMIT;
  }
  cm_refuse(errors->picture, errors->status, message);
  longjmp(errors->back, 1);
}

static void on_message(j_common_ptr info, int level) {
  error_manager *errors = (error_manager *)info->err;
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) errors->truncated = 1;
}

static void no_output(j_common_ptr info) { (void)info; }

static unsigned orientation(jpeg_saved_marker_ptr marker) {
  for (; marker; marker = marker->next) {
    if (marker->data_length > 6 && memcmp(marker->data, "Exif\0\0", 6) == 0) {
      return cm_exif_orientation(marker->data + 6, marker->data_length - 6);
    }
  }
  return 1;
}

/// Four inks to R, G, B in place. Adobe's files hold the inks inverted, as they come here: 255 is none.
static void inks_to_rgb(uint8_t *row, size_t width, int inverted) {
  for (size_t x = 0; x < width; x++) {
    const uint8_t *inks = row + 4 * x;
    unsigned black = inverted ? inks[3] : 255u - inks[3];
    for (int channel = 0; channel < 3; channel++) {
      unsigned light = (inverted ? inks[channel] : 255u - inks[channel]) * black + 128;
      row[3 * x + channel] = (uint8_t)(((light >> 8) + light) >> 8);  // divided by 255, rounded
    }
  }
}

int cm_decode_jpeg(const uint8_t *bytes, size_t size, cm_picture *picture) {
  struct jpeg_decompress_struct info;
  error_manager errors = {.picture = picture, .status = CM_BROKEN};
  uint8_t *volatile row = NULL;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = on_error;
  errors.base.emit_message = on_message;
  errors.base.output_message = no_output;
  if (setjmp(errors.back)) {
    jpeg_destroy_decompress(&info);
    free(row);
    return errors.status;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes, size);
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&info, TRUE);

  // The luma channel is what is wanted: the others are not even transformed.
  int gray = info.jpeg_color_space == JCS_YCbCr || info.jpeg_color_space == JCS_GRAYSCALE;
  int inks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = gray ? JCS_GRAYSCALE : inks ? JCS_CMYK : JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  uint32_t side = info.image_width < info.image_height ? info.image_width : info.image_height;
  if (picture->least_side > 0) {
    for (info.scale_num = 1; info.scale_num < 8 && side / 8 * info.scale_num < picture->least_side;) info.scale_num *= 2;
    info.scale_denom = 8;
  }
  // The source's size counts, also where a scaled plane is small: decoding costs what the source has.
  int status = CM_DECODED;
  uint64_t pixels = (uint64_t)info.image_width * info.image_height;
  if (pixels > picture->most_pixels) {
    status = cm_begin(picture, info.image_width, info.image_height, 1, 1);
  } else {
    jpeg_start_decompress(&info);
    status = cm_begin(picture, info.output_width, info.output_height, gray ? 1 : 4, orientation(info.marker_list));
    row = malloc((size_t)info.output_width * 4);
    if (status == CM_DECODED && !row) status = cm_refuse(picture, CM_LIMIT, "limit: no memory for a row");
    while (status == CM_DECODED && info.output_scanline < info.output_height) {
      uint32_t y = info.output_scanline;
      JSAMPROW rows[1] = {row};
      jpeg_read_scanlines(&info, rows, 1);
      if (errors.truncated) break;
      if (inks) inks_to_rgb(row, info.output_width, info.saw_Adobe_marker);
      if (gray) cm_put_gray(picture, y, row);
      else cm_put_rgb(picture, y, row, 3);
    }
  }
  // libjpeg fills what is missing with gray. A hash of that would be of another picture.
  if (status == CM_DECODED && errors.truncated) status = cm_refuse(picture, CM_BROKEN, "truncated: the data ends before the picture");
  jpeg_destroy_decompress(&info);
  free(row);
  return status;
}
