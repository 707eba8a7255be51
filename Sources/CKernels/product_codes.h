#pragma once

#include <stdbool.h>

#include "blocks_iq4.h"
#include "slm_blocks.h"
#include "vectors.h"

// Blocks of GGUF as the products of few rows take them: codes 32 at a time, one to a byte in the
// order of columns, so that code 4 l + k is byte k of lane l; and what a block's codes are
// multiplied by.

typedef uint32_t slm_codes32 __attribute__((ext_vector_type(8)));
typedef int32_t slm_signed8 __attribute__((ext_vector_type(8)));
typedef int16_t slm_words16 __attribute__((ext_vector_type(16)));
typedef uint16_t slm_unsigned16 __attribute__((ext_vector_type(16)));
typedef uint8_t slm_bytes32 __attribute__((ext_vector_type(32)));
typedef uint8_t slm_bytes16 __attribute__((ext_vector_type(16)));
typedef uint8_t slm_bytes8 __attribute__((ext_vector_type(8)));
typedef int8_t slm_chars8 __attribute__((ext_vector_type(8)));
typedef _Float16 slm_halves __attribute__((ext_vector_type(4)));
typedef float slm_v2 __attribute__((ext_vector_type(2)));
typedef float slm_v8u __attribute__((ext_vector_type(8), aligned(1)));

#define SLM_LOAD8(p) (*(const slm_v8u *)(p))
#define SLM_UNROLL _Pragma("clang loop unroll(full)")

// MARK: Codes

// Thirty-two bytes: codes of 8 bits, or parts of codes of several sub-blocks.
SLM_INLINE void slm_load_bytes(const uint8_t *p, slm_codes32 *codes) { memcpy(codes, p, 32); }

// Sixteen bytes with two codes of 4 bits each, of which the low ones come first. Beside each code
// are bits of another.
SLM_INLINE void slm_load_nibbles(const uint8_t *p, slm_codes32 *codes) {
  slm_bytes16 bytes;
  memcpy(&bytes, p, 16);
  slm_bytes32 twice = __builtin_shufflevector(
      bytes, bytes, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7,
      8, 9, 10, 11, 12, 13, 14, 15);
  *codes = (slm_codes32)twice >> (slm_codes32){0, 0, 0, 0, 4, 4, 4, 4};
}

// Codes of 5 bits: as before, and a word with the fifth bit of each.
SLM_INLINE void slm_load_fives(const uint8_t *bits, const uint8_t *p, slm_codes32 *codes) {
  uint32_t word;
  memcpy(&word, bits, 4);
  slm_bytes32 all = (slm_bytes32)((slm_codes32){} + word);
  slm_bytes32 spread = __builtin_shufflevector(
      all, all, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 18, 18, 18, 18, 18, 18, 18, 18, 19,
      19, 19, 19, 19, 19, 19, 19);
  const slm_bytes32 one = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
                           1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  slm_codes32 fifth = (slm_codes32)((spread & one) == one) & 0x10101010;
  slm_load_nibbles(p, codes);
  *codes = (*codes & 0x0f0f0f0f) | fifth;
}

// The codes 32 u ..< 32 u + 32 of the block at p; a block of 32 has only u = 0.
#define SLM_CODES(format) \
  SLM_INLINE void slm_codes_##format(const uint8_t *p, int u, slm_codes32 *codes)

SLM_CODES(q4_0) { slm_load_nibbles(p + 2 + 16 * u, codes); }
SLM_CODES(q4_1) { slm_load_nibbles(p + 4 + 16 * u, codes); }
SLM_CODES(q5_0) { slm_load_fives(p + 2, p + 6 + 16 * u, codes); }
SLM_CODES(q5_1) { slm_load_fives(p + 4, p + 8 + 16 * u, codes); }
SLM_CODES(q8_0) { slm_load_bytes(p + 2 + 32 * u, codes); }
SLM_CODES(iq4_xs) { slm_load_nibbles(p + 8 + 16 * u, codes); }

SLM_CODES(q2_k) {
  slm_load_bytes(p + 16 + u / 4 * 32, codes);
  *codes = *codes >> (uint32_t)(u % 4 * 2);
}

SLM_CODES(q3_k) {
  slm_codes32 third;
  slm_load_bytes(p, &third);
  slm_load_bytes(p + 32 + u / 4 * 32, codes);
  *codes = (*codes >> (uint32_t)(u % 4 * 2) & 0x03030303)
         | (third >> (uint32_t)u & 0x01010101) << 2;
}

SLM_CODES(q4_k) {
  slm_load_bytes(p + 16 + u / 2 * 32, codes);
  *codes = *codes >> (uint32_t)(u % 2 * 4);
}

SLM_CODES(q5_k) {
  slm_codes32 fifth;
  slm_load_bytes(p + 16, &fifth);
  slm_load_bytes(p + 48 + u / 2 * 32, codes);
  *codes = (*codes >> (uint32_t)(u % 2 * 4) & 0x0f0f0f0f)
         | (fifth >> (uint32_t)u & 0x01010101) << 4;
}

SLM_CODES(q6_k) {
  slm_codes32 above;
  slm_load_bytes(p + 128 + u / 4 * 32, &above);
  slm_load_bytes(p + u / 4 * 64 + u % 2 * 32, codes);
  *codes = (*codes >> (uint32_t)(u % 4 / 2 * 4) & 0x0f0f0f0f)
         | (above >> (uint32_t)(u % 4 * 2) & 0x03030303) << 4;
}

// MARK: Scales

SLM_INLINE uint64_t slm_word16(const uint8_t *p) {
  uint16_t bits;
  memcpy(&bits, p, 2);
  return bits;
}

SLM_INLINE uint64_t slm_word32(const uint8_t *p) {
  uint32_t bits;
  memcpy(&bits, p, 4);
  return bits;
}

// Widens four numbers in half precision. They go through a general register: putting one after
// another into a vector, or into one that something else was in, takes longer.
SLM_INLINE void slm_widen_halves(uint64_t bits, slm_v4 *numbers) {
  __asm__("" : "+r"(bits));
  slm_halves halves;
  memcpy(&halves, &bits, 8);
  *numbers = __builtin_convertvector(halves, slm_v4);
}

SLM_INLINE float slm_half_at(const uint8_t *p) {
  slm_v4 numbers;
  slm_widen_halves(slm_word16(p), &numbers);
  return numbers[0];
}

// The scale of a block of 32, and what follows it, which some formats add.
SLM_INLINE void slm_grid_small(const uint8_t *p, slm_v8 *scale, slm_v8 *minimum) {
  slm_v4 numbers;
  slm_widen_halves(slm_word32(p), &numbers);
  *scale = numbers[0];
  *minimum = numbers[1];
}

// Those of sub-blocks of 32 columns u of a block of 256: one, or two for 16 columns each.
SLM_INLINE void slm_spread_grid(const float *numbers, int u, int length, slm_v8 *spread) {
  if (length == 32) {
    *spread = numbers[u];
  } else {
    slm_v2 pair;
    memcpy(&pair, numbers + 2 * u, 8);
    *spread = __builtin_shufflevector(pair, pair, 0, 0, 0, 0, 1, 1, 1, 1);
  }
}

// Eight bytes times a number.
SLM_INLINE void slm_scale_bytes(uint64_t bytes, float by, float *out) {
  slm_bytes8 eight;
  memcpy(&eight, &bytes, 8);
  slm_v8 scaled = __builtin_convertvector(eight, slm_v8) * by;
  memcpy(out, &scaled, 32);
}

SLM_INLINE void slm_scale_chars(uint64_t bytes, float by, float *out) {
  slm_chars8 eight;
  memcpy(&eight, &bytes, 8);
  slm_v8 scaled = __builtin_convertvector(eight, slm_v8) * by;
  memcpy(out, &scaled, 32);
}

// What a block of 256 multiplies its sub-blocks' codes and sums by, see slm_blocks_grid. The scales
// that are packed into 12 bytes are put side by side four at a time.
SLM_INLINE void slm_grid_large_q2_k(const uint8_t *p, float *scales, float *minimums) {
  float d = slm_half_at(p + 80), m = -slm_half_at(p + 82);
  for (int j = 0; j < 16; j += 8) {
    uint64_t packed;
    memcpy(&packed, p + j, 8);
    slm_scale_bytes(packed & 0x0f0f0f0f0f0f0f0f, d, scales + j);
    slm_scale_bytes(packed >> 4 & 0x0f0f0f0f0f0f0f0f, m, minimums + j);
  }
}

SLM_INLINE void slm_grid_large_q3_k(const uint8_t *p, float *scales, float *minimums) {
  (void)minimums;
  float d = slm_half_at(p + 108);
  uint64_t low, high = slm_word32(p + 104);
  memcpy(&low, p + 96, 8);
  high |= high >> 2 << 32;
  uint64_t first = (low & 0x0f0f0f0f0f0f0f0f) | (high & 0x0303030303030303) << 4;
  uint64_t second = (low >> 4 & 0x0f0f0f0f0f0f0f0f) | (high >> 4 & 0x0303030303030303) << 4;
  // 32 less in each byte, without borrowing from the next.
  first = (first + 0x6060606060606060) ^ 0x8080808080808080;
  second = (second + 0x6060606060606060) ^ 0x8080808080808080;
  slm_scale_chars(first, d, scales);
  slm_scale_chars(second, d, scales + 8);
}

// The scales of Q4_K and Q5_K lie alike.
SLM_INLINE void slm_grid_large_q4_k(const uint8_t *p, float *scales, float *minimums) {
  float d = slm_half_at(p), m = -slm_half_at(p + 2);
  uint64_t a = slm_word32(p + 4), b = slm_word32(p + 8), c = slm_word32(p + 12);
  uint64_t above = (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030);
  uint64_t below = (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030);
  slm_scale_bytes((a & 0x3f3f3f3f) | above << 32, d, scales);
  slm_scale_bytes((b & 0x3f3f3f3f) | below << 32, m, minimums);
}

SLM_INLINE void slm_grid_large_q6_k(const uint8_t *p, float *scales, float *minimums) {
  (void)minimums;
  float d = slm_half_at(p + 208);
  for (int j = 0; j < 16; j += 8) {
    uint64_t eight;
    memcpy(&eight, p + 192 + j, 8);
    slm_scale_chars(eight, d, scales + j);
  }
}

SLM_INLINE void slm_grid_large_iq4_xs(const uint8_t *p, float *scales, float *minimums) {
  (void)minimums;
  float d = slm_half_at(p);
  uint64_t high = slm_word16(p + 2), low = slm_word32(p + 4);
  for (int j = 0; j < 8; j++)
    scales[j] = d * (float)((int)((low >> 4 * j & 15) | (high >> 2 * j & 3) << 4) - 32);
}
