#include "CKernels.h"
#include "wide.h"

// PDQ's box filter. Each sum is formed in the reference's order, what enters before what leaves: lanes hold different sums,
// never parts of one.
#pragma STDC FP_CONTRACT OFF

#define LANES 32
typedef uint8_t bytes_anywhere __attribute__((vector_size(LANES), aligned(1)));
typedef uint16_t words __attribute__((vector_size(2 * LANES)));
typedef float floats __attribute__((vector_size(4 * LANES)));
typedef float floats_anywhere __attribute__((vector_size(4 * LANES), aligned(4)));
typedef float eight __attribute__((vector_size(32)));
typedef float eight_anywhere __attribute__((vector_size(32), aligned(4)));
typedef float sixteen __attribute__((vector_size(64)));
typedef float sixteen_anywhere __attribute__((vector_size(64), aligned(4)));

static size_t smaller(size_t one, size_t other) { return one < other ? one : other; }

// How many inputs of a line a window holds.
static size_t count_at(size_t x, size_t length, size_t back, size_t ahead) {
  return smaller(x + ahead + 1, length) - (x > back ? x - back : 0);
}

static int is_power_of_two(size_t count) { return (count & (count - 1)) == 0; }

// Means from `x` on of windows that lie in the row, as many as there are lanes. Not of more bytes than have a sum of sixteen bits.
CK_INLINE void store_means(const uint8_t *row, size_t x, size_t back, size_t size, float *means) {
  words sum = {0};
  for (size_t i = 0; i < size; i++) sum += __builtin_convertvector(*(const bytes_anywhere *)(row + x - back + i), words);
  floats mean = __builtin_convertvector(sum, floats);
  // Exact, as a division by a power of two is, and several times faster.
  *(floats_anywhere *)(means + x) = is_power_of_two(size) ? mean * (1 / (float)size) : mean / (float)size;
}

// Whole numbers below 2^24 are exact as they are, so the order of sums does not matter here.
CK_WIDE void ck_box_bytes(const uint8_t *row, size_t length, size_t back, size_t ahead, float *means) {
  const size_t size = back + ahead + 1, end = length - ahead;
  uint64_t sum = 0;
  for (size_t x = 0; x < ahead; x++) sum += row[x];
  size_t x = 0;
  // The window fills.
  for (; x < back; x++) {
    sum += row[x + ahead];
    means[x] = (float)sum / (float)(x + ahead + 1);
  }
  if (size <= UINT16_MAX / UINT8_MAX && end - x >= LANES) {
    for (; x + LANES <= end; x += LANES) store_means(row, x, back, size, means);
    store_means(row, end - LANES, back, size, means);
    sum = 0;
    for (x = end - 1 - back; x < length; x++) sum += row[x];
    x = end;
  } else {
    for (; x < end; x++) {
      sum += row[x + ahead];
      if (x > back) sum -= row[x - back - 1];
      means[x] = (float)sum / (float)size;
    }
  }
  // It empties.
  for (; x < length; x++) {
    if (x > back) sum -= row[x - back - 1];
    means[x] = (float)sum / (float)count_at(x, length, back, ahead);
  }
}

// Rows of eight become columns.
CK_INLINE void turn(eight rows[8]) {
  eight pairs[8], fours[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4) {
    fours[i] = __builtin_shufflevector(pairs[i], pairs[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    fours[i + 1] = __builtin_shufflevector(pairs[i], pairs[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    fours[i + 2] = __builtin_shufflevector(pairs[i + 1], pairs[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    fours[i + 3] = __builtin_shufflevector(pairs[i + 1], pairs[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    rows[i] = __builtin_shufflevector(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    rows[i + 4] = __builtin_shufflevector(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// Turns eight rows and stores the columns, `apart` samples after one another.
CK_INLINE void store_turned(eight rows[8], float *columns, size_t apart) {
  turn(rows);
#pragma clang loop unroll(full)
  for (size_t i = 0; i < 8; i++) *(eight_anywhere *)(columns + i * apart) = rows[i];
}

CK_INLINE void take_columns(
  const float *const *entering, const float *const *leaving, const float *factors, int divides, size_t width, float *sums,
  float *means
) {
  size_t x = 0;
  for (; x + 8 <= width; x += 8) {
    eight sum = *(const eight_anywhere *)(sums + x);
    for (int half = 0; half < CK_BOX_ROWS; half += 8) {
      eight rows[8];
#pragma clang loop unroll(full)
      for (int row = 0; row < 8; row++) {
        sum += *(const eight_anywhere *)(entering[half + row] + x);
        sum -= *(const eight_anywhere *)(leaving[half + row] + x);
        rows[row] = divides ? sum / factors[half + row] : sum * factors[half + row];
      }
      store_turned(rows, means + x * CK_BOX_ROWS + half, CK_BOX_ROWS);
    }
    *(eight_anywhere *)(sums + x) = sum;
  }
  for (; x < width; x++) {
    for (int row = 0; row < CK_BOX_ROWS; row++) {
      sums[x] += entering[row][x];
      sums[x] -= leaving[row][x];
      means[x * CK_BOX_ROWS + row] = divides ? sums[x] / factors[row] : sums[x] * factors[row];
    }
  }
}

CK_WIDE void ck_box_columns(
  const float *const entering[CK_BOX_ROWS], const float *const leaving[CK_BOX_ROWS], const uint32_t counts[CK_BOX_ROWS],
  size_t width, float *sums, float *means
) {
  float divisors[CK_BOX_ROWS], inverses[CK_BOX_ROWS];
  int divides = 0;
  for (int row = 0; row < CK_BOX_ROWS; row++) {
    divisors[row] = (float)counts[row];
    inverses[row] = 1 / divisors[row];
    if (!is_power_of_two(counts[row])) divides = 1;
  }
  if (divides) {
    take_columns(entering, leaving, divisors, 1, width, sums, means);
  } else {
    take_columns(entering, leaving, inverses, 0, width, sums, means);
  }
}

// The window's sums along sixteen rows, a column after the other.
typedef struct {
  const sixteen_anywhere *line;
  size_t length, back, ahead;
  sixteen sum;
} sliding;

CK_INLINE sliding begin(const float *rows, size_t length, size_t back, size_t ahead) {
  sliding window = {.line = (const sixteen_anywhere *)rows, .length = length, .back = back, .ahead = ahead};
  for (size_t x = 0; x < ahead; x++) window.sum += window.line[x];
  return window;
}

// To column `x`, from the one before.
CK_INLINE void move_to(sliding *window, size_t x) {
  if (x + window->ahead < window->length) window->sum += window->line[x + window->ahead];
  if (x > window->back) window->sum -= window->line[x - window->back - 1];
}

CK_INLINE void store_mean(const sliding *window, size_t x, float *mean) {
  size_t count = count_at(x, window->length, window->back, window->ahead);
  *(sixteen_anywhere *)mean = is_power_of_two(count) ? window->sum * (1 / (float)count) : window->sum / (float)count;
}

CK_WIDE void ck_box_rows(
  const float *rows, size_t length, size_t back, size_t ahead, const uint32_t *positions, size_t count, float *means,
  size_t apart
) {
  sliding window = begin(rows, length, back, ahead);
  size_t x = 0;
  for (size_t i = 0; i < count; i++) {
    for (; x <= positions[i]; x++) move_to(&window, x);
    float mean[CK_BOX_ROWS];
    store_mean(&window, positions[i], mean);
    for (int row = 0; row < CK_BOX_ROWS; row++) means[(size_t)row * apart + i] = mean[row];
  }
}

CK_WIDE void ck_box_floats(
  const float *rows, size_t count, size_t length, size_t back, size_t ahead, float *room, float *means,
  size_t apart
) {
  const float *row[CK_BOX_ROWS];
  for (size_t i = 0; i < CK_BOX_ROWS; i++) row[i] = rows + smaller(i, count - 1) * length;
  size_t x = 0;
  // A cache line of each row at a time: rows may lie so far apart that a cache holds few of them at once.
  for (; x + 16 <= length; x += 16) {
    for (size_t quarter = 0; quarter < 4; quarter++) {
      size_t half = quarter / 2 * 8, column = x + quarter % 2 * 8;
      eight part[8];
#pragma clang loop unroll(full)
      for (size_t i = 0; i < 8; i++) part[i] = *(const eight_anywhere *)(row[half + i] + column);
      store_turned(part, room + column * CK_BOX_ROWS + half, CK_BOX_ROWS);
    }
  }
  for (; x < length; x++) {
    for (int i = 0; i < CK_BOX_ROWS; i++) room[x * CK_BOX_ROWS + i] = row[i][x];
  }
  float *turned = room + length * CK_BOX_ROWS;
  sliding window = begin(room, length, back, ahead);
  for (x = 0; x < length; x++) {
    move_to(&window, x);
    store_mean(&window, x, turned + x * CK_BOX_ROWS);
  }
  for (x = 0; x + 8 <= length; x += 8) {
    for (size_t half = 0; half < CK_BOX_ROWS; half += 8) {
      eight part[8];
#pragma clang loop unroll(full)
      for (int i = 0; i < 8; i++) part[i] = *(const eight_anywhere *)(turned + (x + i) * CK_BOX_ROWS + half);
      store_turned(part, means + half * apart + x, apart);
    }
  }
  for (; x < length; x++) {
    for (size_t i = 0; i < CK_BOX_ROWS; i++) means[i * apart + x] = turned[x * CK_BOX_ROWS + i];
  }
}
