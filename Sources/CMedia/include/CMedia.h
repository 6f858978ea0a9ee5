// Pictures become luma planes: the thin C between hostile bytes and the decoder libraries.
//
// C because libjpeg and libpng report errors by longjmp, which must not cross Swift frames, and because FFmpeg's and
// libpng's interfaces are macros and variadics that Swift cannot import. Linked by muhafiz-decoder alone.
//
// Each decoder looks at the header first and refuses a picture over `most_pixels` before it allocates anything for
// it. Rows go straight into the plane, upright by EXIF orientation; alpha is dropped and the colour under it kept.
//
// Broken pictures. An error of a library is `MEDIA_BROKEN`. Data that ends before the last row has come is
// `MEDIA_BROKEN` too, "premature end of data", even where the library would paint the rest gray. Damage that a
// library only warns about, with all rows there, is accepted, as browsers and viewers do.
#ifndef CMEDIA_H
#define CMEDIA_H

#include <stddef.h>
#include <stdint.h>

/// Readable bytes that must follow the input: FFmpeg's bit readers look ahead.
#define MEDIA_INPUT_PADDING 64

/// Pixels that a picture may be wide or high: rows of them are filtered together, sixteen and more at a time.
#define MEDIA_MOST_SIDE (1 << 22)

/// Size of a reason with its closing NUL.
#define MEDIA_REASON_SIZE 200

enum {
  MEDIA_DECODED = 0,
  MEDIA_UNSUPPORTED = 1,
  MEDIA_BROKEN = 2,
  MEDIA_LIMIT = 3,
  MEDIA_MEMORY = 4,  // an allocation failed
};

/// How much of a film is decoded.
enum {
  MEDIA_USUAL_FRAMES = 0,
  MEDIA_ALL_FRAMES = 1,
};

/// What is wanted after a frame.
enum {
  MEDIA_ENOUGH = 0,
  MEDIA_MORE = 1,
  MEDIA_SAMPLES = 2,  // of the rest of the film some frames behind each key frame
};

/// What to decode, where to, and how much of it at most.
typedef struct {
  const uint8_t *bytes;    ///< the file; `MEDIA_INPUT_PADDING` readable bytes follow it
  size_t count;            ///< bytes in the file
  void *samples;           ///< the plane; aligned for float
  size_t capacity;         ///< bytes at `samples`
  uint64_t most_pixels;    ///< a picture with more is refused by its header
  uint32_t smallest_side;  ///< JPEG: shrink while decoding, both sides stay at least this; 0: full size
  uint32_t frame;          ///< TIFF: which page, from 0
  uint64_t most_frames;    ///< video: frames to deliver at most
  double frame_seconds;    ///< video: deliver a frame of each so many seconds; 0: every frame
  uint32_t detail;         ///< video: `MEDIA_USUAL_FRAMES` and so on
} media_request;

/// What came of it.
typedef struct {
  int status;              ///< `MEDIA_DECODED`, or why not
  int is_float;            ///< samples are float (colour) or uint8_t (gray)
  uint32_t width;          ///< of the plane, upright
  uint32_t height;
  uint32_t picture_width;  ///< of the picture at full size, upright
  uint32_t picture_height;
  uint32_t frames;         ///< TIFF: pages in the file; video: frames delivered; 0 elsewhere
  int left_out;            ///< of a frame: whether others before it are left out
  char reason[MEDIA_REASON_SIZE];  ///< printable ASCII; empty when decoded
} media_result;

/// A video's bytes as they are asked for, and its frames as they come.
typedef struct {
  void *context;
  uint64_t size;  ///< of the file, in bytes
  /// Copies up to `count` bytes from `offset`. Returns how many; 0 at the end.
  int64_t (*read)(void *context, uint64_t offset, uint8_t *into, size_t count);
  /// A frame is in the plane; `result` tells its size. `seconds` from the start. Returns `MEDIA_MORE` and so on.
  int (*frame)(void *context, const media_result *result, double seconds);
} media_stream;

/// Loads every codec and decodes one tiny picture with each, so that nothing is loaded later.
/// Returns 0, or -1 when a codec is missing.
int media_prepare(void);

/// Decode the first picture of a file. `result` is filled whatever happens; no pointer is kept.
void media_decode_jpeg(const media_request *request, media_result *result);
void media_decode_png(const media_request *request, media_result *result);
void media_decode_webp(const media_request *request, media_result *result);
void media_decode_gif(const media_request *request, media_result *result);
void media_decode_bmp(const media_request *request, media_result *result);
void media_decode_tiff(const media_request *request, media_result *result);
/// Pages that libtiff sees in a file; 0 where it sees no TIFF.
uint32_t media_count_tiff_pages(const uint8_t *bytes, size_t count);
void media_decode_heif(const media_request *request, media_result *result);
void media_decode_jxl(const media_request *request, media_result *result);
void media_decode_ico(const media_request *request, media_result *result);
void media_decode_pnm(const media_request *request, media_result *result);
void media_decode_targa(const media_request *request, media_result *result);
void media_decode_jpeg2000(const media_request *request, media_result *result);
void media_decode_photoshop(const media_request *request, media_result *result);

/// Decodes the picture `frame`, from 0, of those that a HEIF file holds besides its first: thumbnails of that, then others.
/// Rows of red, green and blue go to `samples`, without gaps. `frames` is how many there are, `left_out` 1 for a thumbnail.
void media_decode_heif_further(const media_request *request, media_result *result);

/// Decodes a video's best track: a frame of every `frame_seconds` and where scenes begin. Nothing of a file without pictures.
/// - container: FFmpeg's name of the demuxer; no other is tried, and nothing but `stream` is read.
/// `result` is filled whatever happens: frames may have been delivered before a failure. It is no failure to want no more.
/// Samples are the frames of whole `frame_seconds` that take least decoding. They are given where an index has key frames all
/// over the film, so that no half of it and no quarter of a minute is without one: those that come have `left_out` set, and
/// when none has come, some may be missing all the same. Without such an index all frames come as before.
void media_decode_video(
  const char *container, const media_stream *stream, const media_request *request, media_result *result);

/// Decodes every frame of an animated WebP, which must lie whole in `request`.
void media_decode_webp_frames(const media_stream *stream, const media_request *request, media_result *result);

#endif
