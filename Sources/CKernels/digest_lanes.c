#include "CKernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

// MD5, SHA-1 and SHA-256 of sixteen messages at once: a vector holds one word of each.
// Source: RFC 1321, section 3.4; FIPS 180-4, sections 6.1.2 and 6.2.2.

#define WIDE __attribute__((target("avx512f,avx512bw")))
#define INLINE WIDE __attribute__((always_inline)) static inline

typedef uint32_t vector __attribute__((vector_size(64)));

#define LEFT(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define RIGHT(x, n) ((x) >> (n) | (x) << (32 - (n)))

/// Sixteen rows of sixteen words become columns.
INLINE void transpose(__m512i rows[16]) {
  __m512i a[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  __m512i b[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    __m512i low = _mm512_shuffle_i32x4(b[i], b[i + 4], 0x88), high = _mm512_shuffle_i32x4(b[i], b[i + 4], 0xdd);
    __m512i low2 = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0x88), high2 = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0xdd);
    rows[i] = _mm512_shuffle_i32x4(low, low2, 0x88);
    rows[i + 8] = _mm512_shuffle_i32x4(low, low2, 0xdd);
    rows[i + 4] = _mm512_shuffle_i32x4(high, high2, 0x88);
    rows[i + 12] = _mm512_shuffle_i32x4(high, high2, 0xdd);
  }
}

static const uint32_t md5_constants[64] = {
  0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
  0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
  0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
  0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
  0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
  0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

INLINE void take_md5(vector state[4], const vector w[16]) {
  static const int shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  vector a = state[0], b = state[1], c = state[2], d = state[3];
#pragma clang loop unroll(full)
  for (int i = 0; i < 64; i++) {
    int round = i / 16;
    vector f = round == 0 ? (b & c) | (~b & d) : round == 1 ? (d & b) | (~d & c) : round == 2 ? b ^ c ^ d : c ^ (b | ~d);
    int word = round == 0 ? i : round == 1 ? 5 * i + 1 : round == 2 ? 3 * i + 5 : 7 * i;
    vector sum = a + f + w[word % 16] + md5_constants[i];
    a = d;
    d = c;
    c = b;
    b = b + LEFT(sum, shifts[round][i % 4]);
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

INLINE void take_sha1(vector state[5], const vector words[16]) {
  vector w[16], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
#pragma clang loop unroll(full)
  for (int i = 0; i < 80; i++) {
    vector next = i < 16 ? words[i] : w[(i + 13) % 16] ^ w[(i + 8) % 16] ^ w[(i + 2) % 16] ^ w[i % 16];
    w[i % 16] = i < 16 ? next : LEFT(next, 1);
    vector f = i < 20 ? (b & c) | (~b & d) : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
    uint32_t constant = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
    vector sum = LEFT(a, 5) + f + e + w[i % 16] + constant;
    e = d;
    d = c;
    c = LEFT(b, 30);
    b = a;
    a = sum;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

static const uint32_t sha256_constants[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
  0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
  0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
  0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
  0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
  0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

INLINE void take_sha256(vector state[8], const vector words[16]) {
  vector w[16], s[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) s[i] = state[i];
#pragma clang loop unroll(full)
  for (int i = 0; i < 64; i++) {
    if (i < 16) {
      w[i] = words[i];
    } else {
      vector before = w[(i + 1) % 16], last = w[(i + 14) % 16];
      w[i % 16] += (RIGHT(before, 7) ^ RIGHT(before, 18) ^ before >> 3) + w[(i + 9) % 16] + (RIGHT(last, 17) ^ RIGHT(last, 19) ^ last >> 10);
    }
    // The letters move on by one place each round; here the places do.
    vector a = s[(64 - i) % 8], b = s[(65 - i) % 8], c = s[(66 - i) % 8], e = s[(68 - i) % 8], f = s[(69 - i) % 8], g = s[(70 - i) % 8];
    vector sum = s[(71 - i) % 8] + (RIGHT(e, 6) ^ RIGHT(e, 11) ^ RIGHT(e, 25)) + ((e & f) ^ (~e & g)) + sha256_constants[i] + w[i % 16];
    s[(67 - i) % 8] += sum;
    s[(71 - i) % 8] = sum + (RIGHT(a, 2) ^ RIGHT(a, 13) ^ RIGHT(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

WIDE void ck_digest_lanes(ck_lanes *lanes, const uint8_t *const blocks[CK_LANES], size_t count) {
  const __m512i big_endian = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL));
  for (size_t block = 0; block < count; block++) {
    __m512i rows[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) rows[i] = _mm512_loadu_si512(blocks[i] + 64 * block);
    transpose(rows);
    if (lanes->has_md5) take_md5((vector *)lanes->md5, (const vector *)rows);
    if (lanes->has_sha1 || lanes->has_sha256) {
#pragma clang loop unroll(full)
      for (int i = 0; i < 16; i++) rows[i] = _mm512_shuffle_epi8(rows[i], big_endian);
      if (lanes->has_sha1) take_sha1((vector *)lanes->sha1, (const vector *)rows);
      if (lanes->has_sha256) take_sha256((vector *)lanes->sha256, (const vector *)rows);
    }
  }
}

int ck_has_digest_lanes(void) { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"); }

#else

// Never called where the processor is said to lack what it needs.
void ck_digest_lanes(ck_lanes *lanes, const uint8_t *const blocks[CK_LANES], size_t count) {}
int ck_has_digest_lanes(void) { return 0; }

#endif
