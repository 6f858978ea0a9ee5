#ifndef CMEDIA_PLANE_H
#define CMEDIA_PLANE_H

#include "CMedia.h"

// What all decoders share: refusing, placing rows, reading the orientation.

/// Ends a decoding with a message; control and non-ASCII characters of it become '?'. Returns `status`.
int cm_refuse(cm_picture *picture, int status, const char *message);

/// Checks the size and gets the plane. orientation: 1…8 as in EXIF, others count as 1. Returns CM_DECODED or a refusal.
int cm_begin(cm_picture *picture, uint32_t width, uint32_t height, uint32_t sample_size, unsigned orientation);

/// Places row `y` of the source: `source_width` bytes of luminance. The plane has samples of one byte.
void cm_put_gray(cm_picture *picture, uint32_t y, const uint8_t *row);

/// Places row `y` of the source: `source_width` pixels of `step` bytes, R, G, B first. The plane has float samples.
void cm_put_rgb(cm_picture *picture, uint32_t y, const uint8_t *row, unsigned step);

/// The orientation, 1…8, that a block of EXIF data (TIFF header first) gives; 1 when it gives none.
unsigned cm_exif_orientation(const uint8_t *bytes, size_t size);

#endif
