#include "plane.h"

#include <string.h>

static uint32_t number(const uint8_t *at, size_t bytes, int little) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes; i++) value = value << 8 | at[little ? bytes - 1 - i : i];
  return value;
}

// TIFF 6.0: byte order, 42, offset of the first directory; a directory is a count and entries of 12 bytes:
// tag (2), type (2), count (4), value or its offset (4).
int media_exif_orientation(const uint8_t *exif, size_t count) {
  if (count >= 6 && memcmp(exif, "Exif\0\0", 6) == 0) exif += 6, count -= 6;
  if (count < 8) return 1;
  int little = memcmp(exif, "II\x2a\0", 4) == 0;
  if (!little && memcmp(exif, "MM\0\x2a", 4) != 0) return 1;
  size_t at = number(exif + 4, 4, little);
  if (at > count - 2) return 1;
  size_t entries = number(exif + at, 2, little);
  at += 2;
  for (; entries > 0 && count - at >= 12; entries--, at += 12) {
    if (number(exif + at, 2, little) != 0x0112) continue;
    // 3: SHORT, the only type that the standard allows here.
    if (number(exif + at + 2, 2, little) != 3 || number(exif + at + 4, 4, little) != 1) return 1;
    uint32_t orientation = number(exif + at + 8, 2, little);
    return orientation >= 1 && orientation <= 8 ? (int)orientation : 1;
  }
  return 1;
}
