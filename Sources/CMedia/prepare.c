#include <malloc.h>
#include <string.h>

#include "CMedia.h"
#include "samples.h"

typedef void decoder(const media_request *, media_result *);

static int decodes(decoder *decode, const uint8_t *bytes, size_t count) {
  uint8_t padded[1024] = {0};
  float sample = 0;
  media_result result;
  if (count > sizeof padded - MEDIA_INPUT_PADDING) return 0;
  memcpy(padded, bytes, count);
  const media_request request = {
    .bytes = padded, .count = count, .samples = &sample, .capacity = sizeof sample, .most_pixels = 1,
  };
  decode(&request, &result);
  return result.status == MEDIA_DECODED && result.width == 1 && result.height == 1;
}

#define SAMPLE(name) {media_decode_##name, one_##name, sizeof one_##name}

int media_prepare(void) {
  // Fixed thresholds: left alone, malloc learns from big pictures to keep their memory.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
  static const struct {
    decoder *decode;
    const uint8_t *bytes;
    size_t count;
  } samples[] = {
    SAMPLE(jpeg), SAMPLE(png), SAMPLE(webp), SAMPLE(gif), SAMPLE(bmp), SAMPLE(tiff), SAMPLE(jxl), SAMPLE(pnm), SAMPLE(targa),
    {media_decode_heif, one_heic, sizeof one_heic}, {media_decode_heif, one_avif, sizeof one_avif},
  };
  for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
    if (!decodes(samples[i].decode, samples[i].bytes, samples[i].count)) return -1;
  }
  return 0;
}
