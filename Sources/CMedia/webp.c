#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "plane.h"

static void fail(media_result *result, VP8StatusCode status) {
  switch (status) {
  case VP8_STATUS_OUT_OF_MEMORY: media_fail(result, MEDIA_MEMORY, "out of memory"); break;
  case VP8_STATUS_SUSPENDED:
  case VP8_STATUS_NOT_ENOUGH_DATA: media_fail(result, MEDIA_BROKEN, "premature end of data"); break;
  case VP8_STATUS_UNSUPPORTED_FEATURE: media_fail(result, MEDIA_UNSUPPORTED, "webp: unsupported feature"); break;
  default: media_fail(result, MEDIA_BROKEN, "webp: bitstream error (%d)", (int)status); break;
  }
}

// The first frame within its canvas; a still picture fills it. Outside the frame the canvas is clear, so black.
typedef struct {
  WebPData frame;
  uint32_t canvas_width, canvas_height, x, y;
  int orientation;
} place;

static void find_frame(WebPDemuxer *demuxer, place *p) {
  WebPIterator frame;
  if (WebPDemuxGetFrame(demuxer, 1, &frame)) {
    p->frame = frame.fragment;
    p->canvas_width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
    p->canvas_height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    p->x = (uint32_t)frame.x_offset;
    p->y = (uint32_t)frame.y_offset;
    WebPDemuxReleaseIterator(&frame);
  }
  WebPChunkIterator chunk;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
    p->orientation = media_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
    WebPDemuxReleaseChunkIterator(&chunk);
  }
}

static void decode(const media_request *request, media_result *result, const place *p, media_plane *plane) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) {
    media_fail(result, MEDIA_UNSUPPORTED, "webp: library version");
    return;
  }
  VP8StatusCode status = WebPGetFeatures(p->frame.bytes, p->frame.size, &config.input);
  if (status != VP8_STATUS_OK) {
    fail(result, status);
    return;
  }
  uint32_t width = (uint32_t)config.input.width, height = (uint32_t)config.input.height;
  uint32_t canvas_width = p->canvas_width ? p->canvas_width : width;
  uint32_t canvas_height = p->canvas_height ? p->canvas_height : height;
  if (media_check_size(request, result, canvas_width, canvas_height)) return;
  if ((uint64_t)p->x + width > canvas_width || (uint64_t)p->y + height > canvas_height) {
    media_fail(result, MEDIA_BROKEN, "webp: the first frame does not fit its canvas");
    return;
  }
  if (media_plane_open(plane, request, result, canvas_width, canvas_height, p->orientation, 1)) return;

  // The library wants room for all pixels. Without turning, they wait at the end of the plane (3 bytes against 4) and
  // become luma from front to back: a sample never reaches the pixels after it.
  size_t row_size = (size_t)width * 3;
  int fills = width == canvas_width && height == canvas_height;
  uint8_t *made = NULL, *pixels = (uint8_t *)request->samples + (size_t)width * height;
  if (!fills || p->orientation != 1) pixels = made = malloc(row_size * height);
  if (!pixels) {
    media_fail(result, MEDIA_MEMORY, "out of memory");
    return;
  }
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = (int)row_size;
  config.output.u.RGBA.size = row_size * height;
  status = WebPDecode(p->frame.bytes, p->frame.size, &config);
  if (status != VP8_STATUS_OK) {
    fail(result, status);
  } else {
    for (uint32_t y = 0; y < canvas_height; y++) {
      float *samples = media_plane_row(plane);
      if (!fills) memset(samples, 0, canvas_width * sizeof(float));
      if (y >= p->y && y - p->y < height) {
        media_luma(samples + p->x, pixels + (y - p->y) * row_size, width, 3, 0, 1, 2);
      }
      media_plane_row_done(plane);
    }
  }
  WebPFreeDecBuffer(&config.output);
  free(made);
}

void media_decode_webp(const media_request *request, media_result *result) {
  *result = (media_result){0};
  place p = {.frame = {request->bytes, request->count}, .orientation = 1};
  WebPData file = {request->bytes, request->count};
  media_plane plane = {0};
  // The demuxer is stricter about the container than the decoder: what it refuses, the decoder still may read.
  WebPDemuxer *demuxer = WebPDemux(&file);
  if (demuxer) find_frame(demuxer, &p);
  decode(request, result, &p, &plane);
  media_plane_close(&plane);
  WebPDemuxDelete(demuxer);
}
