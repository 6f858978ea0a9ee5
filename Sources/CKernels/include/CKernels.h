#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// C, because Swift compiles for the oldest processor of the architecture only: there a bit count is a dozen
// instructions. Here each function is compiled several times and the best fit is taken when the program is loaded.

/// One record within the radius of one query.
typedef struct {
  uint32_t record;    ///< Index among the records given.
  uint16_t query;     ///< Index among the queries given.
  uint16_t distance;  ///< Bits that differ: 0…256.
} ck_near_hit;

/// Queries that one call compares with each record.
#define CK_NEAR_QUERIES 8

/// Finds the records within `radius` bits of up to eight queries.
///
/// records: `record_count` times 32 bytes, aligned to 8. queries: `query_count` times 32 bytes, any alignment;
/// `query_count` 1…8. Bytes of a record and of a query stand in the same order, whichever it is.
/// hits: room for `hit_capacity`, at least CK_NEAR_QUERIES. next: in, the record to begin with; out, the record to go on
/// with, which is `record_count` when all are done and less when `hits` is full.
/// Returns how many hits were written, in ascending order of record, then query. Keeps no pointer.
size_t ck_near_search(const uint8_t *records, size_t record_count, const uint8_t *queries, size_t query_count,
                      unsigned radius, ck_near_hit *hits, size_t hit_capacity, size_t *next);

/// The same answer by the plainest code, one bit count after another: what the kernel is tested against.
size_t ck_near_search_plain(const uint8_t *records, size_t record_count, const uint8_t *queries, size_t query_count,
                            unsigned radius, ck_near_hit *hits, size_t hit_capacity, size_t *next);

/// Measures the hashes with the given numbers against one query.
///
/// records: 32 bytes each, aligned to 8. numbers: `count` of them, each of a record that is there. query: 32 bytes, any
/// alignment. hits: room for `count`; their `query` is 0. Returns how many hits were written, in the order of `numbers`.
/// Keeps no pointer.
size_t ck_near_measure(const uint8_t *records, const uint32_t *numbers, size_t count, const uint8_t *query,
                       unsigned radius, ck_near_hit *hits);

/// Messages that are digested at once.
#define CK_LANES 16

/// How far the digests of sixteen messages are, and which are made. Words as RFC 1321 and FIPS 180-4 number them; of each the
/// sixteen messages' values side by side. Aligned to 64 bytes by whoever makes one; Swift imports no structure that says so itself.
typedef struct {
  uint32_t md5[4][CK_LANES];
  uint32_t sha1[5][CK_LANES];
  uint32_t sha256[8][CK_LANES];
  int has_md5, has_sha1, has_sha256;
} ck_lanes;

/// Whether the processor can do the next. Where it cannot, that must not be called.
int ck_has_digest_lanes(void);

/// Takes `count` blocks of 64 bytes of each message. Pads nothing, keeps no pointer.
void ck_digest_lanes(ck_lanes *lanes, const uint8_t *const blocks[CK_LANES], size_t count);

/// Has the cache line at an address fetched while other work goes on. Any address; reads nothing. Swift has no such call.
static inline void ck_prefetch(const void *address) { __builtin_prefetch(address); }

/// Has the disk begin with bytes of a file that were written, and does not wait for it; says nothing of durability.
/// Glibc's Swift module leaves the call out. Returns 0, or -1 with the reason in errno.
int ck_begin_writeback(int file, long long offset, long long count);

#endif
