#include "frames.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/log.h>
#include <libavutil/pixdesc.h>

// The last error that a codec logged; the worker has one thread.
static char complaint[120];

static void listen(void *context, int level, const char *format, va_list arguments) {
  (void)context;
  if (level <= AV_LOG_ERROR) vsnprintf(complaint, sizeof complaint, format, arguments);
}

void media_hear_complaints(void) {
  av_log_set_callback(listen);
  complaint[0] = 0;
}

const char *media_complaint(void) {
  complaint[strcspn(complaint, "\r\n")] = 0;
  return complaint;
}

static void fail(media_result *result, int error) {
  char message[AV_ERROR_MAX_STRING_SIZE];
  media_complaint();
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
  media_hear_complaints();
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

// Gray, and YUV, of which only the luma is read.
static int is_gray(const AVPixFmtDescriptor *format) {
  return !(format->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
}

// Luma of 16...235, which is spread to 0...255 as a conversion to RGB would.
static int has_narrow_range(const AVFrame *frame, const AVPixFmtDescriptor *format) {
  if (format->nb_components < 3 || frame->color_range == AVCOL_RANGE_JPEG) return 0;
  return strncmp(format->name, "yuvj", 4) != 0;
}

static void spread(uint8_t *samples, uint32_t count) {
  static uint8_t wide[256];
  if (!wide[255]) {
    for (int i = 0; i < 256; i++) {
      int value = ((i - 16) * 255 + 109) / 219;
      wide[i] = (uint8_t)(i <= 16 ? 0 : value > 255 ? 255 : value);
    }
  }
  for (uint32_t i = 0; i < count; i++) samples[i] = wide[samples[i]];
}

// One component of a row, whatever its place and depth, as 8 bits with `stride` bytes between them.
static void read_component(
  uint8_t *into, size_t stride, uint16_t *line, const AVFrame *frame, const AVPixFmtDescriptor *format, int component,
  uint32_t y
) {
  int depth = format->comp[component].depth, width = frame->width;
  av_read_image_line2(
    line, (const uint8_t **)frame->data, frame->linesize, format, 0, (int)y, component, width, 0, sizeof *line);
  for (int x = 0; x < width; x++, into += stride) {
    *into = (uint8_t)(depth > 8 ? line[x] >> (depth - 8) : depth == 8 ? line[x] : line[x] * 255 / ((1 << depth) - 1));
  }
}

// The formats that are met often have a way of their own; `line` and `rgb` are room for a row.
static void put_row(
  void *samples, const AVFrame *frame, const AVPixFmtDescriptor *format, uint32_t y, uint16_t *line, uint8_t *rgb
) {
  uint32_t width = (uint32_t)frame->width;
  const uint8_t *row = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
  const AVComponentDescriptor *first = &format->comp[0];
  switch (frame->format) {
  case AV_PIX_FMT_RGB24: media_luma(samples, row, width, 3, 0, 1, 2); return;
  case AV_PIX_FMT_BGR24: media_luma(samples, row, width, 3, 2, 1, 0); return;
  case AV_PIX_FMT_BGR0:
  case AV_PIX_FMT_BGRA: media_luma(samples, row, width, 4, 2, 1, 0); return;
  case AV_PIX_FMT_RGB0:
  case AV_PIX_FMT_RGBA: media_luma(samples, row, width, 4, 0, 1, 2); return;
  case AV_PIX_FMT_0BGR:
  case AV_PIX_FMT_ABGR: media_luma(samples, row, width, 4, 3, 2, 1); return;
  case AV_PIX_FMT_0RGB:
  case AV_PIX_FMT_ARGB: media_luma(samples, row, width, 4, 1, 2, 3); return;
  case AV_PIX_FMT_PAL8:
    look_up(rgb, row, width, frame->data[1]);
    media_luma(samples, rgb, width, 3, 0, 1, 2);
    return;
  case AV_PIX_FMT_RGB565LE:
  case AV_PIX_FMT_RGB555LE:
  case AV_PIX_FMT_RGB444LE:
    widen(rgb, row, width, frame->format);
    media_luma(samples, rgb, width, 3, 0, 1, 2);
    return;
  default: break;
  }
  if (!is_gray(format)) {
    for (int component = 0; component < 3; component++) {
      read_component(rgb + component, 3, line, frame, format, component, y);
    }
    media_luma(samples, rgb, width, 3, 0, 1, 2);
    return;
  }
  if (first->depth == 8 && first->step == 1 && first->shift == 0 && first->offset == 0) {
    memcpy(samples, frame->data[first->plane] + (ptrdiff_t)y * frame->linesize[first->plane], width);
  } else {
    read_component(samples, 1, line, frame, format, 0, y);
    if (frame->format == AV_PIX_FMT_MONOWHITE) {
      for (uint32_t x = 0; x < width; x++) ((uint8_t *)samples)[x] = (uint8_t)(255 - ((uint8_t *)samples)[x]);
    }
  }
  if (has_narrow_range(frame, format)) spread(samples, width);
}

void media_put_frame(const AVFrame *frame, const media_request *request, media_result *result) {
  const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
  if (!format || format->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER)
    || (!is_gray(format) && format->nb_components < 3 && frame->format != AV_PIX_FMT_PAL8)) {
    media_fail(result, MEDIA_UNSUPPORTED, "pixel format %s", format ? format->name : "unknown");
    return;
  }
  media_plane plane = {0};
  uint32_t width = (uint32_t)frame->width, height = (uint32_t)frame->height;
  if (media_plane_open(&plane, request, result, width, height, 1, !is_gray(format))) return;
  uint8_t *rgb = malloc((size_t)width * 3);
  uint16_t *line = malloc((size_t)width * sizeof *line);
  if (rgb && line) {
    for (uint32_t y = 0; y < height; y++) {
      put_row(media_plane_row(&plane), frame, format, y, line, rgb);
      media_plane_row_done(&plane);
    }
  } else {
    media_fail(result, MEDIA_MEMORY, "out of memory");
  }
  media_plane_close(&plane);
  free(rgb);
  free(line);
}

void media_decode_with(enum AVCodecID codec, const media_request *request, media_result *result) {
  AVFrame *frame = media_decode_packet(codec, request->bytes, request->count, request, result);
  if (frame) media_put_frame(frame, request, result);
  av_frame_free(&frame);
}
