#include <stdlib.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include "plane.h"

static unsigned orientation(const WebPData *data) {
  unsigned result = 1;
  WebPDemuxer *demuxer = WebPDemux(data);
  WebPChunkIterator chunk;
  if (demuxer && WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
    const uint8_t *exif = chunk.chunk.bytes;
    size_t size = chunk.chunk.size;
    // Some writers keep JPEG's six bytes before the TIFF header.
    if (size > 6 && exif[0] == 'E') exif += 6, size -= 6;
    result = cm_exif_orientation(exif, size);
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  WebPDemuxDelete(demuxer);
  return result;
}

static void put_all(cm_picture *picture, const uint8_t *pixels, unsigned step) {
  for (uint32_t y = 0; y < picture->source_height; y++) {
    cm_put_rgb(picture, y, pixels + (size_t)y * picture->source_width * step, step);
  }
}

/// The first frame as it is shown: on the canvas.
static int decode_animation(const WebPData *data, cm_picture *picture) {
  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options)) return cm_refuse(picture, CM_UNSUPPORTED, "libwebp of another version");
  options.color_mode = MODE_RGBA;
  WebPAnimDecoder *decoder = WebPAnimDecoderNew(data, &options);
  if (!decoder) return cm_refuse(picture, CM_BROKEN, "the animation cannot be read");
  uint8_t *canvas;
  int timestamp;
  if (!WebPAnimDecoderGetNext(decoder, &canvas, &timestamp)) {
    WebPAnimDecoderDelete(decoder);
    return cm_refuse(picture, CM_BROKEN, "the first frame cannot be decoded");
  }
  put_all(picture, canvas, 4);
  WebPAnimDecoderDelete(decoder);
  return CM_DECODED;
}

int cm_decode_webp(const uint8_t *bytes, size_t size, cm_picture *picture) {
  WebPBitstreamFeatures features;
  VP8StatusCode header = WebPGetFeatures(bytes, size, &features);
  if (header != VP8_STATUS_OK) {
    return cm_refuse(picture, CM_BROKEN, header == VP8_STATUS_NOT_ENOUGH_DATA
                                             ? "truncated: the data ends before the picture"
                                             : "the header cannot be read");
  }
  WebPData data = {bytes, size};
  int status = cm_begin(picture, (uint32_t)features.width, (uint32_t)features.height, 4, orientation(&data));
  if (status != CM_DECODED) return status;
  if (features.has_animation) return decode_animation(&data, picture);
  size_t stride = (size_t)features.width * 3;
  uint8_t *pixels = malloc(stride * (size_t)features.height);
  if (!pixels) return cm_refuse(picture, CM_LIMIT, "limit: no memory for the picture");
  if (WebPDecodeRGBInto(bytes, size, pixels, stride * (size_t)features.height, (int)stride)) put_all(picture, pixels, 3);
  else status = cm_refuse(picture, CM_BROKEN, "the picture cannot be decoded, or ends too early");
  free(pixels);
  return status;
}
