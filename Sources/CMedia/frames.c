#include "frames.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/log.h>
#include <libavutil/pixfmt.h>

// The last error that a codec logged; the worker has one thread.
static char complaint[120];

static void listen(void *context, int level, const char *format, va_list arguments) {
  (void)context;
  if (level <= AV_LOG_ERROR) vsnprintf(complaint, sizeof complaint, format, arguments);
}

static void fail(media_result *result, int error) {
  char message[AV_ERROR_MAX_STRING_SIZE];
  complaint[strcspn(complaint, "\r\n")] = 0;
  if (error == AVERROR(ENOMEM)) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
  } else if (error == AVERROR_PATCHWELCOME) {
    media_fail(result, MEDIA_UNSUPPORTED, "%s", complaint[0] ? complaint : "unsupported feature");
  } else if (complaint[0]) {
    media_fail(result, MEDIA_BROKEN, "%s", complaint);
  } else {
    av_strerror(error, message, sizeof message);
    media_fail(result, MEDIA_BROKEN, "%s", message);
  }
}

AVFrame *media_decode_packet(
  enum AVCodecID id, const uint8_t *bytes, size_t count, const media_request *request, media_result *result
) {
  av_log_set_callback(listen);
  complaint[0] = 0;
  if (count > INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE) {
    media_fail(result, MEDIA_LIMIT, "limit: %zu bytes, at most %d", count, INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE);
    return NULL;
  }
  const AVCodec *codec = avcodec_find_decoder(id);
  if (!codec) {
    media_fail(result, MEDIA_UNSUPPORTED, "FFmpeg was built without this decoder");
    return NULL;
  }
  AVCodecContext *context = avcodec_alloc_context3(codec);
  AVPacket *packet = av_packet_alloc();
  AVFrame *frame = av_frame_alloc();
  int error = AVERROR(ENOMEM);
  if (context && packet && frame) {
    context->thread_count = 1;
    // A second fence behind the header check; the codec counts rows rounded up to its alignment, hence the slack.
    context->max_pixels = 2 * (int64_t)request->most_pixels + (1 << 20);
    packet->data = (uint8_t *)(uintptr_t)bytes;  // not owned: the codec only reads it
    packet->size = (int)count;
    error = avcodec_open2(context, codec, NULL);
    if (error >= 0) error = avcodec_send_packet(context, packet);
    if (error >= 0) error = avcodec_receive_frame(context, frame);
    // The codecs log damage and go on with what they have: lost rows of a GIF, a BMP cut within its padding.
    if (error >= 0 && complaint[0]) error = AVERROR_INVALIDDATA;
  }
  if (error < 0) {
    fail(result, error);
    av_frame_free(&frame);
  }
  av_packet_free(&packet);
  avcodec_free_context(&context);
  return frame;
}

// 5 and 6 bits become 8 as in Pillow (Unpack.c, BGR;15 and BGR;16): times 255, by the maximum, rounded down.
static void widen(uint8_t *rgb, const uint8_t *row, uint32_t width, int format) {
  for (uint32_t x = 0; x < width; x++, rgb += 3) {
    unsigned v = row[2 * x] | (unsigned)row[2 * x + 1] << 8;
    if (format == AV_PIX_FMT_RGB565LE) {
      rgb[0] = (uint8_t)((v >> 11) * 255 / 31), rgb[1] = (uint8_t)((v >> 5 & 63) * 255 / 63);
    } else if (format == AV_PIX_FMT_RGB555LE) {
      rgb[0] = (uint8_t)((v >> 10 & 31) * 255 / 31), rgb[1] = (uint8_t)((v >> 5 & 31) * 255 / 31);
    } else {
      rgb[0] = (uint8_t)((v >> 8 & 15) * 17), rgb[1] = (uint8_t)((v >> 4 & 15) * 17);
    }
    rgb[2] = (uint8_t)(format == AV_PIX_FMT_RGB444LE ? (v & 15) * 17 : (v & 31) * 255 / 31);
  }
}

static void look_up(uint8_t *rgb, const uint8_t *row, uint32_t width, const uint8_t *palette) {
  for (uint32_t x = 0; x < width; x++, rgb += 3) {
    uint32_t colour;  // 0xAARRGGBB in the machine's order
    memcpy(&colour, palette + 4 * (size_t)row[x], 4);
    rgb[0] = (uint8_t)(colour >> 16), rgb[1] = (uint8_t)(colour >> 8), rgb[2] = (uint8_t)colour;
  }
}

void media_put_frame(const AVFrame *frame, const media_request *request, media_result *result) {
  media_plane plane = {0};
  uint32_t width = (uint32_t)frame->width, height = (uint32_t)frame->height;
  int is_gray = frame->format == AV_PIX_FMT_GRAY8;
  uint8_t *rgb = NULL;
  if (media_plane_open(&plane, request, result, width, height, 1, !is_gray)) return;
  rgb = malloc((size_t)width * 3);
  if (!rgb) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return;
  }
  for (uint32_t y = 0; y < height && result->status == MEDIA_DECODED; y++) {
    const uint8_t *row = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
    void *samples = media_plane_row(&plane);
    switch (frame->format) {
    case AV_PIX_FMT_GRAY8: memcpy(samples, row, width); break;
    case AV_PIX_FMT_BGR24: media_luma(samples, row, width, 3, 2, 1, 0); break;
    case AV_PIX_FMT_BGR0:
    case AV_PIX_FMT_BGRA: media_luma(samples, row, width, 4, 2, 1, 0); break;
    case AV_PIX_FMT_RGB0:
    case AV_PIX_FMT_RGBA: media_luma(samples, row, width, 4, 0, 1, 2); break;
    case AV_PIX_FMT_0BGR:
    case AV_PIX_FMT_ABGR: media_luma(samples, row, width, 4, 3, 2, 1); break;
    case AV_PIX_FMT_0RGB:
    case AV_PIX_FMT_ARGB: media_luma(samples, row, width, 4, 1, 2, 3); break;
    case AV_PIX_FMT_PAL8:
      look_up(rgb, row, width, frame->data[1]);
      media_luma(samples, rgb, width, 3, 0, 1, 2);
      break;
    case AV_PIX_FMT_RGB565LE:
    case AV_PIX_FMT_RGB555LE:
    case AV_PIX_FMT_RGB444LE:
      widen(rgb, row, width, frame->format);
      media_luma(samples, rgb, width, 3, 0, 1, 2);
      break;
    default: media_fail(result, MEDIA_UNSUPPORTED, "pixel format %d", frame->format); break;
    }
    media_plane_row_done(&plane);
  }
  media_plane_close(&plane);
  free(rgb);
}
