#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#include "plane.h"

typedef struct {
  const uint8_t *bytes;
  size_t count, at;
  char complaint[120];
} file;

static tmsize_t read_bytes(thandle_t handle, void *into, tmsize_t count) {
  file *f = handle;
  size_t left = f->at < f->count ? f->count - f->at : 0;
  if (count < 0) return -1;
  if ((size_t)count > left) count = (tmsize_t)left;
  memcpy(into, f->bytes + f->at, (size_t)count);
  f->at += (size_t)count;
  return count;
}

static tmsize_t write_nothing(thandle_t handle, void *from, tmsize_t count) {
  (void)handle, (void)from, (void)count;
  return -1;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence) {
  file *f = handle;
  toff_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? f->at : f->count;
  f->at = (size_t)(from + offset);
  return f->at;
}

static int close_nothing(thandle_t handle) {
  (void)handle;
  return 0;
}

static toff_t size(thandle_t handle) { return ((file *)handle)->count; }

// The whole file is in memory already.
static int map(thandle_t handle, void **base, toff_t *count) {
  file *f = handle;
  *base = (void *)(uintptr_t)f->bytes;
  *count = f->count;
  return 1;
}

static void unmap(thandle_t handle, void *base, toff_t count) { (void)handle, (void)base, (void)count; }

static int listen(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments) {
  (void)tiff, (void)module;
  file *f = user;
  if (!f->complaint[0]) vsnprintf(f->complaint, sizeof f->complaint, format, arguments);
  return 1;
}

static int ignore(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments) {
  (void)tiff, (void)user, (void)module, (void)format, (void)arguments;
  return 1;
}

static void fail(media_result *result, const file *f, const char *otherwise) {
  media_fail(result, MEDIA_BROKEN, "tiff: %s", f->complaint[0] ? f->complaint : otherwise);
}

// Alpha is dropped and the colour under it kept: libtiff would multiply colour with alpha that says it is separate.
static void forget_alpha(TIFF *tiff) {
  uint16_t count = 0, *kinds = NULL, samples = 0;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
  if (count == 0 || kinds[0] != EXTRASAMPLE_UNASSALPHA) return;
  uint16_t none[4] = {EXTRASAMPLE_ASSOCALPHA, EXTRASAMPLE_UNSPECIFIED, EXTRASAMPLE_UNSPECIFIED, EXTRASAMPLE_UNSPECIFIED};
  if (count <= 4) TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, count, none);
}

// Rows that are decoded in one go: a strip or a row of tiles, so that nothing is decoded twice.
static uint32_t band_height(TIFF *tiff, uint32_t height) {
  uint32_t rows = 0;
  if (TIFFIsTiled(tiff)) {
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &rows);
  } else {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows);
  }
  return rows == 0 || rows > height ? height : rows;
}

static void read_rows(
  TIFFRGBAImage *image, const media_request *request, media_result *result, media_plane *plane, const file *f
) {
  uint32_t width = image->width, height = image->height, band = band_height(image->tif, height);
  // A pixel (0xAABBGGRR) is as wide as a sample: without turning, pixels wait where their samples go.
  uint32_t *made = NULL;
  if (plane->orientation != 1) {
    made = malloc((size_t)width * band * sizeof *made);
    if (!made) {
      media_fail(result, MEDIA_MEMORY, "out of memory");
      return;
    }
  }
  for (uint32_t row = 0; row < height; row += band) {
    uint32_t rows = height - row < band ? height - row : band;
    uint32_t *pixels = made ? made : (uint32_t *)request->samples + (size_t)row * width;
    image->row_offset = (int)row;
    image->col_offset = 0;
    if (!TIFFRGBAImageGet(image, pixels, width, rows)) {
      fail(result, f, "a strip cannot be read");
      break;
    }
    for (uint32_t y = 0; y < rows; y++) {
      const uint8_t *bytes = (const uint8_t *)(pixels + (size_t)y * width);
      media_luma(media_plane_row(plane), bytes, width, 4, 0, 1, 2);
      media_plane_row_done(plane);
    }
  }
  free(made);
}

static void decode(TIFF *tiff, const media_request *request, media_result *result, media_plane *plane, const file *f) {
  uint32_t width = 0, height = 0;
  uint16_t orientation = 1, bits = 0, kind = SAMPLEFORMAT_UINT;
  if (request->frame > UINT16_MAX || !TIFFSetDirectory(tiff, (tdir_t)request->frame)) {
    fail(result, f, "no such page");
    return;
  }
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &kind);
  if (media_check_size(request, result, width, height)) return;
  forget_alpha(tiff);
  char why[1024] = "";
  TIFFRGBAImage image;
  if (kind == SAMPLEFORMAT_IEEEFP || !TIFFRGBAImageOK(tiff, why) || !TIFFRGBAImageBegin(&image, tiff, 1, why)) {
    media_fail(result, MEDIA_UNSUPPORTED, "tiff: %s", why[0] ? why : "samples are floating-point numbers");
    return;
  }
  image.req_orientation = image.orientation;  // the plane turns, libtiff does not
  if (orientation < 1 || orientation > 8) orientation = 1;
  if (media_plane_open(plane, request, result, width, height, orientation, 1) == 0) {
    read_rows(&image, request, result, plane, f);
  }
  TIFFRGBAImageEnd(&image);
}

// `f` holds the bytes, and gets what libtiff has to say. NULL where there is no directory, or no memory.
static TIFF *open_file(file *f) {
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options) return NULL;
  TIFFOpenOptionsSetErrorHandlerExtR(options, listen, f);
  TIFFOpenOptionsSetWarningHandlerExtR(options, ignore, NULL);
  TIFF *tiff = TIFFClientOpenExt("", "rm", f, read_bytes, write_nothing, seek, close_nothing, size, map, unmap, options);
  TIFFOpenOptionsFree(options);
  return tiff;
}

uint32_t media_count_tiff_pages(const uint8_t *bytes, size_t count) {
  file f = {.bytes = bytes, .count = count};
  TIFF *tiff = open_file(&f);
  if (!tiff) return 0;
  uint32_t pages = TIFFNumberOfDirectories(tiff);
  TIFFClose(tiff);
  return pages;
}

void media_decode_tiff(const media_request *request, media_result *result) {
  *result = (media_result){0};
  file f = {.bytes = request->bytes, .count = request->count};
  TIFF *tiff = open_file(&f);
  if (!tiff) {
    fail(result, &f, "no directory");
    return;
  }
  media_plane plane = {0};
  result->frames = TIFFNumberOfDirectories(tiff);
  decode(tiff, request, result, &plane, &f);
  media_plane_close(&plane);
  TIFFClose(tiff);
}
