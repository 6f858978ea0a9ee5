// The luma plane under construction, shared by the decoders.
#ifndef MEDIA_PLANE_H
#define MEDIA_PLANE_H

#include "CMedia.h"

/// Rows are collected in bands of this many when the picture lies on its side: a turned row would
/// touch as many cache lines as it has samples, a turned band a sixteenth of that.
#define PLANE_BAND_ROWS 16

typedef struct {
  uint8_t *samples;
  size_t sample_size;
  uint32_t width, height;  // as stored, before turning
  int orientation;         // EXIF, 1…8
  uint32_t row;            // the next stored row
  uint8_t *band;           // NULL when rows go straight to their place
  uint32_t band_rows;      // rows in the band now
} media_plane;

/// Answers `status` with a reason in printf's manner; anything but printable ASCII becomes '?'.
void media_fail(media_result *result, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/// Refuses a picture over the pixel limit, or without pixels. Returns 0 when it may go on.
int media_check_size(const media_request *request, media_result *result, uint64_t width, uint64_t height);

/// Opens a plane for a picture of stored size `width` × `height`. Returns 0, or -1 with `result` filled.
/// `media_plane_close` is due in any case.
int media_plane_open(
  media_plane *plane, const media_request *request, media_result *result, uint32_t width, uint32_t height,
  int orientation, int is_float);
void media_plane_close(media_plane *plane);

/// Where the samples of the next stored row go; `media_plane_row_done` puts them in place.
void *media_plane_row(media_plane *plane);
void media_plane_row_done(media_plane *plane);

/// Luma of `count` pixels of `stride` bytes each, red, green and blue at the given offsets in a pixel.
void media_luma(
  float *luma, const uint8_t *pixels, uint32_t count, size_t stride, size_t red, size_t green, size_t blue);

/// The EXIF orientation in a TIFF block (as in APP1 after "Exif\0\0", PNG eXIf or WebP EXIF), 1 when there is none.
int media_exif_orientation(const uint8_t *exif, size_t count);

#endif
