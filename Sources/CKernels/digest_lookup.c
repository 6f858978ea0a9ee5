#include "CKernels.h"
#include "verified.h"
#include "wide.h"

#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

typedef uint8_t bytes __attribute__((vector_size(8)));
typedef uint32_t lanes __attribute__((vector_size(32)));

CK_INLINE bool admits(const ck_digest_index *index, uint64_t second, size_t offset) {
  // Byte i of the second eight names the bit of number i.
  uint64_t numbers = __builtin_bswap64(second);
  bytes bits;
  memcpy(&bits, &numbers, sizeof bits);
  lanes wanted = ((lanes){} + 1) << (__builtin_convertvector(bits, lanes) & 31);
  lanes held;
  memcpy(&held, index->file + offset, sizeof held);
  return __builtin_reduce_or(wanted & ~held) == 0;
}

CK_WIDE
int ck_filter_admits(const ck_digest_index *index, uint64_t first, uint64_t second) {
  return admits(index, second, ck_filter_offset(index, first));
}

// Records that are compared with a key at once.
enum { ABOUT = 8 };

// Which of the eight records begin with sixteen bytes of a key: bit 4 i for record i.
CK_INLINE uint32_t beginning_alike(const uint8_t *records, size_t size, uint64_t first, uint64_t second) {
  uint64_t wanted[2] = {__builtin_bswap64(first), __builtin_bswap64(second)};
#if defined(__x86_64__)
  __m128i both = _mm_loadu_si128((const __m128i *)wanted);
  __m128i equal[ABOUT];
#pragma clang loop unroll(full)
  for (size_t i = 0; i < ABOUT; i++) {
    equal[i] = _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *)(records + i * size)), both);
  }
  // Four numbers of 32 bits each become a bit each: narrowed twice, then gathered.
  uint32_t bits = 0;
#pragma clang loop unroll(full)
  for (size_t i = 0; i < ABOUT; i += 4) {
    __m128i narrow = _mm_packs_epi16(_mm_packs_epi32(equal[i], equal[i + 1]), _mm_packs_epi32(equal[i + 2], equal[i + 3]));
    bits |= (uint32_t)_mm_movemask_epi8(narrow) << (4 * i);
  }
  bits &= bits >> 1;
  return bits & bits >> 2 & 0x11111111;
#else
  uint32_t bits = 0;
  for (size_t i = 0; i < ABOUT; i++) {
    uint64_t begin[2];
    memcpy(begin, records + i * size, sizeof begin);
    bits |= (uint32_t)(((begin[0] ^ wanted[0]) | (begin[1] ^ wanted[1])) == 0) << (4 * i);
  }
  return bits;
#endif
}

// Whether a record goes on as the key does, behind the first sixteen bytes.
CK_INLINE bool going_on_alike(const uint8_t *record, size_t size, uint64_t third, uint64_t fourth) {
  if (size == 32) {
    uint64_t rest[2];
    memcpy(rest, record + 16, sizeof rest);
    return ((rest[0] ^ __builtin_bswap64(third)) | (rest[1] ^ __builtin_bswap64(fourth))) == 0;
  }
  uint32_t rest = 0;
  if (size == 20) memcpy(&rest, record + 16, sizeof rest);
  return __builtin_bswap32(rest) == third >> 32;
}

CK_WIDE
ptrdiff_t ck_find_digest(const ck_digest_index *index, uint64_t first, uint64_t second, uint64_t third, uint64_t fourth) {
  // All that needs no memory first, so that what does is asked for at once.
  size_t bounds = ck_bounds_offset(index, first);
  size_t filter = ck_filter_offset(index, first);
  ck_prefetch(index->file + bounds);
  if (!is_verified(index->verified, filter)) return CK_UNDECIDED;
  if (!admits(index, second, filter)) return CK_NOT_LISTED;

  if (!is_verified(index->verified, bounds) || !is_verified(index->verified, bounds + 7)) return CK_UNDECIDED;
  uint32_t low, high;
  memcpy(&low, index->file + bounds, sizeof low);
  memcpy(&high, index->file + bounds + 4, sizeof high);
  if (low > high || high > index->record_count || index->record_count < ABOUT) return CK_UNDECIDED;

  size_t likely = ck_likely_record(index, first, low, high);
  ck_prefetch(index->file + index->entry_indexes + likely * 4);
  ptrdiff_t begin = (ptrdiff_t)likely - ABOUT / 2;
  ptrdiff_t last = (ptrdiff_t)index->record_count - ABOUT;
  begin = begin > last ? last : begin;
  begin = begin < 0 ? 0 : begin;
  size_t size = index->record_size;
  size_t offset = index->records + (size_t)begin * size;
  if (!is_verified(index->verified, offset) || !is_verified(index->verified, offset + ABOUT * size - 1)) return CK_UNDECIDED;

  const uint8_t *records = index->file + offset;
  uint32_t found = beginning_alike(records, size, first, second);
  if (found == 0) return CK_UNDECIDED;
  size_t number = (size_t)__builtin_ctz(found) / 4, record = (size_t)begin + number;
  // What a damaged fan-out leaves out of the bucket is not found, as it would not be by a search.
  if (record < low || record >= high) return CK_UNDECIDED;
  return going_on_alike(records + number * size, size, third, fourth) ? (ptrdiff_t)record : CK_UNDECIDED;
}
