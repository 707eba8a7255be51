#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Sixteen lanes of a compiler vector: one AVX-512 register, two of AVX2, four of SSE or NEON. The
// compiler splits it where registers are shorter, so one source serves every CPU.

// Compiles into its caller, and so for the caller's CPU.
#define SLM_INLINE static inline __attribute__((always_inline))

// Asks for whole 512-bit registers where the compiler's tuning would prefer halves.
#define SLM_WIDE __attribute__((min_vector_width(512)))

typedef float slm_v16 __attribute__((ext_vector_type(16)));
typedef float slm_v8 __attribute__((ext_vector_type(8)));
typedef float slm_v4 __attribute__((ext_vector_type(4)));
typedef float slm_v16u __attribute__((ext_vector_type(16), aligned(1)));
typedef int32_t slm_i16 __attribute__((ext_vector_type(16)));
typedef uint32_t slm_u16 __attribute__((ext_vector_type(16)));

// Loads and stores at any alignment. Vectors go through pointers because passing them by value
// between functions compiled for different CPUs is not defined.
#define SLM_LOAD16(p) (*(const slm_v16u *)(p))
#define SLM_STORE16(p, v) (*(slm_v16u *)(p) = (v))

// The greater of two vectors' lanes, the second's where either is not a number: one instruction.
#define SLM_LARGER16(a, b) ((a) > (b) ? (a) : (b))

// Adds the lanes of each of four vectors, in an order that does not depend on the length of
// registers.
SLM_INLINE void slm_sums4(const slm_v16 v[4], float sums[4]) {
  slm_v16 a, b, c;
  a = __builtin_shufflevector(
          v[0], v[1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
    + __builtin_shufflevector(
          v[0], v[1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  b = __builtin_shufflevector(
          v[2], v[3], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
    + __builtin_shufflevector(
          v[2], v[3], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  // Each quarter of c holds the sums of the four vectors over that quarter.
  c = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
    + __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  slm_v8 half = __builtin_shufflevector(c, c, 0, 1, 2, 3, 4, 5, 6, 7)
              + __builtin_shufflevector(c, c, 8, 9, 10, 11, 12, 13, 14, 15);
  slm_v4 quarter = __builtin_shufflevector(half, half, 0, 1, 2, 3)
                 + __builtin_shufflevector(half, half, 4, 5, 6, 7);
  memcpy(sums, &quarter, sizeof quarter);
}

// The same for vectors of eight lanes.
SLM_INLINE void slm_sums4x8(const slm_v8 v[4], float sums[4]) {
  slm_v8 a = __builtin_shufflevector(v[0], v[1], 0, 8, 1, 9, 4, 12, 5, 13)
           + __builtin_shufflevector(v[0], v[1], 2, 10, 3, 11, 6, 14, 7, 15);
  slm_v8 b = __builtin_shufflevector(v[2], v[3], 0, 8, 1, 9, 4, 12, 5, 13)
           + __builtin_shufflevector(v[2], v[3], 2, 10, 3, 11, 6, 14, 7, 15);
  slm_v8 c = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
           + __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  slm_v4 all = __builtin_shufflevector(c, c, 0, 1, 2, 3)
             + __builtin_shufflevector(c, c, 4, 5, 6, 7);
  memcpy(sums, &all, sizeof all);
}

// Adds the lanes of one vector, halves first.
SLM_INLINE float slm_sum16(const slm_v16 *v) {
  slm_v8 half = __builtin_shufflevector(*v, *v, 0, 1, 2, 3, 4, 5, 6, 7)
              + __builtin_shufflevector(*v, *v, 8, 9, 10, 11, 12, 13, 14, 15);
  slm_v4 quarter = __builtin_shufflevector(half, half, 0, 1, 2, 3)
                 + __builtin_shufflevector(half, half, 4, 5, 6, 7);
  return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
}

// Transposes eight rows of eight in place.
SLM_INLINE void slm_transpose8(slm_v8 r[8]) {
  slm_v8 t[8];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i += 4)
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; j++) {
      r[i + 2 * j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      r[i + 2 * j + 1] =
          __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  // Row 4a + b holds columns b and 4 + b of rows 4a to 4a + 3.
#pragma clang loop unroll(full)
  for (int b = 0; b < 4; b++) {
    t[b] = __builtin_shufflevector(r[b], r[4 + b], 0, 1, 2, 3, 8, 9, 10, 11);
    t[4 + b] = __builtin_shufflevector(r[b], r[4 + b], 4, 5, 6, 7, 12, 13, 14, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) r[i] = t[i];
}

// Transposes sixteen rows of sixteen in place, in four rounds of two-operand shuffles.
SLM_INLINE void slm_transpose16(slm_v16 r[16]) {
  slm_v16 t[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    t[i] = __builtin_shufflevector(
        r[i], r[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    t[i + 1] = __builtin_shufflevector(
        r[i], r[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4)
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; j++) {
      r[i + 2 * j] = __builtin_shufflevector(
          t[i + j], t[i + j + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
      r[i + 2 * j + 1] = __builtin_shufflevector(
          t[i + j], t[i + j + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
  // Row 4a + b holds columns b, 4 + b, 8 + b and 12 + b of rows 4a to 4a + 3.
#pragma clang loop unroll(full)
  for (int b = 0; b < 4; b++) {
    slm_v16 low = __builtin_shufflevector(
        r[b], r[4 + b], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    slm_v16 high = __builtin_shufflevector(
        r[b], r[4 + b], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    slm_v16 low2 = __builtin_shufflevector(
        r[8 + b], r[12 + b], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    slm_v16 high2 = __builtin_shufflevector(
        r[8 + b], r[12 + b], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    t[b] = __builtin_shufflevector(
        low, low2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    t[8 + b] = __builtin_shufflevector(
        low, low2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    t[4 + b] = __builtin_shufflevector(
        high, high2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    t[12 + b] = __builtin_shufflevector(
        high, high2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i++) r[i] = t[i];
}
