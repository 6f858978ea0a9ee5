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
/// file: a mapped hash list; verified: one bit for each block of 4096 bytes of it: found good. offset: of the first record
/// in it, a multiple of 4096; records have 32 bytes. numbers: `count` of them, each of a record that is there. query: 32
/// bytes, any alignment. hits: room for `count`; their `query` is 0.
/// Returns how many hits were written, in the order of `numbers`, or -1 where a record's block was not found good: then
/// `hits` says nothing. Keeps no pointer.
ptrdiff_t ck_near_measure(const uint8_t *file, size_t offset, const uint64_t *verified, const uint32_t *numbers,
                          size_t count, const uint8_t *query, unsigned radius, ck_near_hit *hits);

/// Where lookups of one algorithm's digests read: a mapped hash list, and its sections' offsets in it.
typedef struct {
  const uint8_t *file;
  /// One bit for each block of 4096 bytes of the file: found good. Others set bits meanwhile.
  const uint64_t *verified;
  size_t filter, filter_blocks;
  size_t fan_out, fan_out_bits;
  size_t records, record_count, record_size;
  /// Four bytes for each record, which most callers ask for next.
  size_t entry_indexes;
} ck_digest_index;

// A key is a digest's bytes as big-endian numbers, `first` to `fourth`, zero behind its end. They are handed over one by one,
// in registers: as a structure they would be stored in eights and read back in sixteens, which waits for all before it.

/// The offset of the filter's block for a key: its first 32 bits are a fraction of all blocks.
static inline size_t ck_filter_offset(const ck_digest_index *index, uint64_t first) {
  return index->filter + (((first >> 32) * index->filter_blocks) >> 32) * 32;
}

/// The offset of the bounds of the bucket that a key's first bits name.
static inline size_t ck_bounds_offset(const ck_digest_index *index, uint64_t first) {
  // Shifted twice: a list of one bucket has no bits at all, and 64 is not a distance to shift by.
  return index->fan_out + ((first >> 1) >> (63 - index->fan_out_bits)) * 4;
}

/// The record that a key is most likely to be of those from `low` to `high`, the bounds of its bucket: the bits behind
/// those of the bucket say where in it a digest stands, give or take some places.
static inline size_t ck_likely_record(const ck_digest_index *index, uint64_t first, size_t low, size_t high) {
  return low + (((high - low) * ((first << index->fan_out_bits) >> 32)) >> 32);
}

/// Whether the filter lets a key through. Its block must have been verified.
int ck_filter_admits(const ck_digest_index *index, uint64_t first, uint64_t second);

/// The filter says that it is not listed.
#define CK_NOT_LISTED -1
/// Something that the answer rests on has yet to be verified, or the record is not where it is most likely.
#define CK_UNDECIDED -2

/// Finds the record of a key by what has been verified, and reads nothing else.
///
/// There is no branch in it but for what hardly ever happens: a processor that guesses one wrongly has not begun the next
/// lookup when it finds out. And there is little of it: what waits for memory keeps later lookups waiting too.
///
/// Returns the record's index, CK_NOT_LISTED or CK_UNDECIDED.
ptrdiff_t ck_find_digest(const ck_digest_index *index, uint64_t first, uint64_t second, uint64_t third, uint64_t fourth);

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

// PDQ's box filter: see Swift's `BoxWindow` for what a window is. `back` and `ahead` say how far it reaches in either
// direction, at most `length` - 1 together.

/// Rows that are filtered together.
#define CK_BOX_ROWS 16

/// Means along a row of `length` bytes. means: room for `length`. Keeps no pointer.
void ck_box_bytes(const uint8_t *row, size_t length, size_t back, size_t ahead, float *means);

/// Means along `count` rows of `length` samples, 1 to sixteen of them. room: for `length` times thirty-two. means: room for
/// sixteen rows, `apart` after one another, of which those past `count` say nothing. Keeps no pointer.
void ck_box_floats(const float *rows, size_t count, size_t length, size_t back, size_t ahead, float *room, float *means,
                   size_t apart);

/// Means down the columns of `width` samples, at sixteen rows one after the other.
///
/// sums: those of the window at the row before, `width` of them; out, at the last row. entering, leaving: the rows that the
/// window takes in and lets go with each step, zeros where it does not. counts: how many rows the window holds at each, at
/// least 1. means: room for `width` times sixteen, a column after the other, as the next takes them. Keeps no pointer.
void ck_box_columns(const float *const entering[CK_BOX_ROWS], const float *const leaving[CK_BOX_ROWS],
                    const uint32_t counts[CK_BOX_ROWS], size_t width, float *sums, float *means);

/// Means along sixteen rows at some positions only.
///
/// rows: `length` times sixteen samples, a column after the other. positions: `count` of them, ascending, below `length`.
/// means: room for sixteen rows of `count`, `apart` after one another. Keeps no pointer.
void ck_box_rows(const float *rows, size_t length, size_t back, size_t ahead, const uint32_t *positions, size_t count,
                 float *means, size_t apart);

/// Has the cache line at an address fetched while other work goes on. Any address; reads nothing. Swift has no such call.
static inline void ck_prefetch(const void *address) { __builtin_prefetch(address); }

/// Has the disk begin with bytes of a file that were written, and does not wait for it; says nothing of durability.
/// Glibc's Swift module leaves the call out. Returns 0, or -1 with the reason in errno.
int ck_begin_writeback(int file, long long offset, long long count);

#endif
