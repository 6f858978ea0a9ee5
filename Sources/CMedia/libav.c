#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
#include <string.h>

#include "plane.h"

// GIF and BMP through FFmpeg's decoders alone: no demuxers, no protocols, no threads.

int cm_prepare(void) {
  av_log_set_level(AV_LOG_QUIET);
  return avcodec_find_decoder(AV_CODEC_ID_GIF) && avcodec_find_decoder(AV_CODEC_ID_BMP) ? 0 : -1;
}

/// Places a decoded frame. Its format is one of packed RGB, palette or gray; all become R, G, B without scaling.
static int put_frame(const AVFrame *frame, cm_picture *picture) {
  int status = cm_begin(picture, (uint32_t)frame->width, (uint32_t)frame->height, 4, 1);
  if (status != CM_DECODED) return status;
  struct SwsContext *convert = sws_getContext(frame->width, frame->height, frame->format, frame->width, frame->height,
                                              AV_PIX_FMT_RGB24, SWS_POINT | SWS_ACCURATE_RND, NULL, NULL, NULL);
  if (!convert) return cm_refuse(picture, CM_UNSUPPORTED, "unknown pixel layout");
  uint8_t *planes[4];
  int strides[4];
  if (av_image_alloc(planes, strides, frame->width, frame->height, AV_PIX_FMT_RGB24, 32) < 0) {
    sws_freeContext(convert);
    return cm_refuse(picture, CM_LIMIT, "limit: no memory for the picture");
  }
  sws_scale(convert, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, planes, strides);
  for (int y = 0; y < frame->height; y++) {
    cm_put_rgb(picture, (uint32_t)y, planes[0] + (ptrdiff_t)y * strides[0], 3);
  }
  av_freep(&planes[0]);
  sws_freeContext(convert);
  return CM_DECODED;
}

/// Decodes the one packet that a picture is.
static int decode(enum AVCodecID codec, const uint8_t *bytes, size_t size, cm_picture *picture) {
  AVCodecContext *context = avcodec_alloc_context3(avcodec_find_decoder(codec));
  AVPacket *packet = av_packet_alloc();
  AVFrame *frame = av_frame_alloc();
  int status = CM_LIMIT;
  if (!context || !packet || !frame || size > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE ||
      av_new_packet(packet, (int)size) < 0) {
    cm_refuse(picture, status, "limit: no memory for the decoder");
  } else {
    memcpy(packet->data, bytes, size);
    context->thread_count = 1;
    context->max_pixels = (int64_t)picture->most_pixels;
    context->err_recognition = AV_EF_EXPLODE;
    if (avcodec_open2(context, NULL, NULL) < 0) {
      status = cm_refuse(picture, CM_UNSUPPORTED, "the decoder cannot be opened");
    } else if (avcodec_send_packet(context, packet) < 0 || avcodec_receive_frame(context, frame) < 0) {
      status = cm_refuse(picture, CM_BROKEN, "the picture cannot be decoded, or ends too early");
    } else {
      status = put_frame(frame, picture);
    }
  }
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&context);
  return status;
}

/// Refuses a size before the library sees it, so that the limit is named.
static int check_size(cm_picture *picture, uint32_t width, uint32_t height) {
  return (uint64_t)width * height > picture->most_pixels ? cm_begin(picture, width, height, 1, 1) : CM_DECODED;
}

int cm_decode_gif(const uint8_t *bytes, size_t size, cm_picture *picture) {
  if (size < 13) return cm_refuse(picture, CM_BROKEN, "truncated: the data ends before the picture");
  int status = check_size(picture, bytes[6] | (uint32_t)bytes[7] << 8, bytes[8] | (uint32_t)bytes[9] << 8);
  if (status != CM_DECODED) return status;
  // The parser cuts the file into frames; the first has the header with it.
  AVCodecParserContext *parser = av_parser_init(AV_CODEC_ID_GIF);
  AVCodecContext *context = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_GIF));
  uint8_t *first = NULL;
  int first_size = 0;
  if (parser && context) {
    size_t offset = 0;
    while (offset < size && first_size == 0) {
      int piece = size - offset > (1 << 20) ? 1 << 20 : (int)(size - offset);
      int used = av_parser_parse2(parser, context, &first, &first_size, bytes + offset, piece, AV_NOPTS_VALUE,
                                  AV_NOPTS_VALUE, 0);
      if (used < 0) break;
      offset += (size_t)used;
      if (used == 0 && first_size == 0) break;
    }
    if (first_size == 0) {
      av_parser_parse2(parser, context, &first, &first_size, NULL, 0, AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);
    }
  }
  status = first_size > 0 ? decode(AV_CODEC_ID_GIF, first, (size_t)first_size, picture)
                          : cm_refuse(picture, CM_BROKEN, "there is no frame");
  avcodec_free_context(&context);
  av_parser_close(parser);
  return status;
}

int cm_decode_bmp(const uint8_t *bytes, size_t size, cm_picture *picture) {
  if (size < 26) return cm_refuse(picture, CM_BROKEN, "truncated: the data ends before the picture");
#define LONG(at) (bytes[at] | (uint32_t)bytes[(at) + 1] << 8 | (uint32_t)bytes[(at) + 2] << 16 | (uint32_t)bytes[(at) + 3] << 24)
  int32_t height = (int32_t)LONG(22);  // Negative where the first row is the top one.
  int status = LONG(14) >= 40 ? check_size(picture, LONG(18), (uint32_t)(height < 0 ? -(int64_t)height : height)) : CM_DECODED;
#undef LONG
  return status == CM_DECODED ? decode(AV_CODEC_ID_BMP, bytes, size, picture) : status;
}
