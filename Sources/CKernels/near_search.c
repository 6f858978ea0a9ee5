#include "CKernels.h"
#include "verified.h"

#include <string.h>

size_t ck_near_search_plain(const uint8_t *records, size_t record_count, const uint8_t *queries, size_t query_count,
                            unsigned radius, ck_near_hit *hits, size_t hit_capacity, size_t *next) {
  size_t found = 0;
  size_t record = *next;
  for (; record < record_count && found + query_count <= hit_capacity; record++) {
    for (size_t query = 0; query < query_count; query++) {
      unsigned distance = 0;
      for (size_t byte = 0; byte < 32; byte++) {
        distance += (unsigned)__builtin_popcount(records[record * 32 + byte] ^ queries[query * 32 + byte]);
      }
      if (distance <= radius) {
        hits[found++] = (ck_near_hit){(uint32_t)record, (uint16_t)query, (uint16_t)distance};
      }
    }
  }
  *next = record;
  return found;
}

// One lane a query: a word of the record is compared with that word of all eight queries at once.
typedef uint64_t lanes __attribute__((vector_size(64)));

#if defined(__x86_64__)
#define CK_WIDEST __attribute__((target_clones("avx512vpopcntdq", "arch=x86-64-v3", "popcnt", "default")))
#define CK_POPCOUNT __attribute__((target_clones("popcnt", "default")))
#else
#define CK_WIDEST
#define CK_POPCOUNT
#endif

CK_WIDEST
size_t ck_near_search(const uint8_t *records, size_t record_count, const uint8_t *queries, size_t query_count,
                      unsigned radius, ck_near_hit *hits, size_t hit_capacity, size_t *next) {
  // Unused lanes repeat the first query; the mask leaves them out.
  lanes words[4];
  for (size_t lane = 0; lane < CK_NEAR_QUERIES; lane++) {
    const uint8_t *query = queries + 32 * (lane < query_count ? lane : 0);
    for (size_t word = 0; word < 4; word++) {
      uint64_t value;
      memcpy(&value, query + 8 * word, sizeof value);
      words[word][lane] = value;
    }
  }
  lanes limit = (lanes){} + radius;

  size_t found = 0;
  size_t record = *next;
  for (; record < record_count && found + CK_NEAR_QUERIES <= hit_capacity; record++) {
    const uint64_t *value = (const uint64_t *)__builtin_assume_aligned(records + record * 32, 8);
    lanes distance = __builtin_elementwise_popcount(words[0] ^ value[0]) +
                     __builtin_elementwise_popcount(words[1] ^ value[1]) +
                     __builtin_elementwise_popcount(words[2] ^ value[2]) +
                     __builtin_elementwise_popcount(words[3] ^ value[3]);
    lanes within = (lanes)(distance <= limit);
    if (__builtin_expect(__builtin_reduce_or(within) != 0, 0)) {
      for (size_t query = 0; query < query_count; query++) {
        if (distance[query] <= radius) {
          hits[found++] = (ck_near_hit){(uint32_t)record, (uint16_t)query, (uint16_t)distance[query]};
        }
      }
    }
  }
  *next = record;
  return found;
}

CK_POPCOUNT
ptrdiff_t ck_near_measure(const uint8_t *file, size_t offset, const uint64_t *verified, const uint32_t *numbers,
                          size_t count, const uint8_t *query, unsigned radius, ck_near_hit *hits) {
  // Far enough ahead that memory has answered by then.
  enum { AHEAD = 24 };
  const uint8_t *records = file + offset;
  uint64_t words[4];
  memcpy(words, query, sizeof words);
  size_t found = 0;
  bool are_verified = true;
  for (size_t i = 0; i < count; i++) {
    if (i + AHEAD < count) __builtin_prefetch(records + (size_t)numbers[i + AHEAD] * 32);
    const uint64_t *value = (const uint64_t *)__builtin_assume_aligned(records + (size_t)numbers[i] * 32, 8);
    are_verified &= is_verified(verified, offset + (size_t)numbers[i] * 32);
    unsigned distance = (unsigned)(__builtin_popcountll(words[0] ^ value[0]) + __builtin_popcountll(words[1] ^ value[1]) +
                                   __builtin_popcountll(words[2] ^ value[2]) + __builtin_popcountll(words[3] ^ value[3]));
    hits[found] = (ck_near_hit){numbers[i], 0, (uint16_t)distance};
    found += distance <= radius;
  }
  return are_verified ? (ptrdiff_t)found : -1;
}
