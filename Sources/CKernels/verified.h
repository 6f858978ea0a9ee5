// Blocks of a mapped hash list that were found good: one bit for each 4096 bytes. Others set bits meanwhile.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline __attribute__((always_inline)) bool is_verified(const uint64_t *verified, size_t offset) {
  size_t block = offset >> 12;
  return __atomic_load_n(verified + (block >> 6), __ATOMIC_RELAXED) >> (block & 63) & 1;
}
