#ifndef CMEDIA_H
#define CMEDIA_H

#include <stddef.h>
#include <stdint.h>

// C, because libjpeg and libpng report errors by longjmp, which Swift must not be crossed by, and because the loops over
// pixels use their types. Runs in the sandboxed decoder process and nowhere else.
//
// Every decoder turns one picture in memory into luminance, upright as its EXIF orientation says. Alpha is dropped and the
// colour under it kept, as the PDQ reference's Python binding is fed; 16-bit samples keep their high byte; of an animation
// only the first frame is decoded. Rows go to their place as they are decoded, so memory is the plane and little more.

/// How a decoding ended.
enum {
  CM_DECODED = 0,
  CM_BROKEN = 1,       ///< The data is not a whole picture of its format.
  CM_LIMIT = 2,        ///< The picture is larger than allowed.
  CM_UNSUPPORTED = 3,  ///< A kind of the format that is not decoded.
};

/// What to decode into, and what came of it.
typedef struct {
  // In:
  uint64_t most_pixels;     ///< More are refused before anything is allocated.
  uint32_t least_side;      ///< JPEG may be decoded at an eighth, quarter or half, as long as both sides keep this; 0: never.
  void *(*allocate)(void *context, size_t size);  ///< Called once with the size of the plane; NULL when there is no room.
  void *context;
  // Out:
  uint32_t width, height;   ///< Of the plane, upright.
  uint32_t sample_size;     ///< 1: bytes 0…255. 4: floats, 0.299 R + 0.587 G + 0.114 B in double, rounded once.
  char message[160];        ///< Why it was not decoded: printable ASCII.
  // Between decoder and plane:
  void *samples;
  uint32_t source_width, source_height;
  unsigned orientation;
} cm_picture;

/// bytes: `size` bytes of the format, with nothing behind them. Returns how it ended. Keeps no pointer.
int cm_decode_jpeg(const uint8_t *bytes, size_t size, cm_picture *picture);
int cm_decode_png(const uint8_t *bytes, size_t size, cm_picture *picture);
int cm_decode_webp(const uint8_t *bytes, size_t size, cm_picture *picture);
int cm_decode_gif(const uint8_t *bytes, size_t size, cm_picture *picture);
int cm_decode_bmp(const uint8_t *bytes, size_t size, cm_picture *picture);

/// Lets the libraries load and set up what they need, before the sandbox is closed. Returns 0, or -1 when one lacks a decoder.
int cm_prepare(void);

#endif
