// One packet through one of FFmpeg's decoders.
#ifndef MEDIA_FRAMES_H
#define MEDIA_FRAMES_H

#include "plane.h"

#include <libavcodec/avcodec.h>

/// Decodes one packet on one thread. Returns a frame to be freed by the caller, or NULL with `result` filled.
/// An error that the codec only logs counts as one.
/// - bytes: `count` bytes, `AV_INPUT_BUFFER_PADDING_SIZE` readable bytes follow.
AVFrame *media_decode_packet(
  enum AVCodecID codec, const uint8_t *bytes, size_t count, const media_request *request, media_result *result);

/// Writes a frame as luma; fills `result`. Gray pictures and YUV become bytes, all others float.
void media_put_frame(const AVFrame *frame, const media_request *request, media_result *result);

/// Decodes a file that is one packet of one codec.
void media_decode_with(enum AVCodecID codec, const media_request *request, media_result *result);

/// Forgets what codecs have complained of, and listens from now on.
void media_hear_complaints(void);

/// The last error that was logged since then; empty for none.
const char *media_complaint(void);

#endif
