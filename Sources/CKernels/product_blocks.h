#pragma once

#include "product_dots.h"

// Dot products of four rows of GGUF blocks of 32 with one to four rows of x. Of a block,
//
//     value = d * (code - middle)  or  d * code + m
//
// the codes alone are multiplied by x; d, the middle and m are applied to what comes of 32 columns:
//
//     dot = d * (sum of code * x - middle * sum of x)  or  d * sum of code * x + m * sum of x
//
// which takes half of the operations that widening every weight does. Lanes are summed last.

#define SLM_UNROLL _Pragma("clang loop unroll(full)")

typedef _Float16 slm_halves __attribute__((ext_vector_type(4)));

// Codes 0...15 and 16...31 of a block, as floats.
#define SLM_CODES4(bytes, low, high)                                                             \
  do {                                                                                           \
    slm_i16 both = __builtin_convertvector(*(const slm_ub16 *)(bytes), slm_i16);                 \
    low = __builtin_convertvector(both & 15, slm_v16);                                           \
    high = __builtin_convertvector(both >> 4, slm_v16);                                          \
  } while (0)

// The fifth bits of the codes are a word of their own.
#define SLM_LANES (slm_u16){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
#define SLM_CODES5(bits, bytes, low, high)                                                       \
  do {                                                                                           \
    slm_i16 both = __builtin_convertvector(*(const slm_ub16 *)(bytes), slm_i16);                 \
    uint32_t word;                                                                               \
    memcpy(&word, bits, 4);                                                                      \
    slm_i16 first = (slm_i16)(((slm_u16){} + word) >> SLM_LANES) << 4 & 16;                      \
    slm_i16 second = (slm_i16)(((slm_u16){} + (word >> 16)) >> SLM_LANES) << 4 & 16;             \
    low = __builtin_convertvector((both & 15) | first, slm_v16);                                 \
    high = __builtin_convertvector(both >> 4 | second, slm_v16);                                 \
  } while (0)

#define SLM_UNPACK_Q4_0(p, low, high) SLM_CODES4(p + 2, low, high)
#define SLM_UNPACK_Q4_1(p, low, high) SLM_CODES4(p + 4, low, high)
#define SLM_UNPACK_Q5_0(p, low, high) SLM_CODES5(p + 2, p + 6, low, high)
#define SLM_UNPACK_Q5_1(p, low, high) SLM_CODES5(p + 4, p + 8, low, high)
#define SLM_UNPACK_Q8_0(p, low, high)                                                            \
  do {                                                                                           \
    low = __builtin_convertvector(*(const slm_b16 *)(p + 2), slm_v16);                           \
    high = __builtin_convertvector(*(const slm_b16 *)(p + 18), slm_v16);                         \
  } while (0)

// A half at any address. Loading it into a vector register would wait for what that register last
// held, so that it goes through a general one.
SLM_INLINE float slm_half_at(const uint8_t *p) {
  uint16_t half;
  memcpy(&half, p, 2);
  uint32_t bits = half;
  __asm__("" : "+r"(bits));
  slm_words words = {bits, 0};
  slm_halves halves;
  memcpy(&halves, &words, sizeof halves);
  return __builtin_convertvector(halves, slm_v4)[0];
}

// MIDDLE is the code of zero, or -1 where m follows d. Of one row of x, ROWS rows of w are taken
// together, which shares what they need of x; one alone is read in the order of memory. Of several
// rows of x all are multiplied by one of w, so that their sums stay in registers. AHEAD is how many
// bytes ahead memory is asked for, which pays where reading is the limit.
#define SLM_BLOCK_DOTS(X, ROWS, AHEAD, BYTES, MIDDLE, CODES)                                     \
  do {                                                                                           \
    slm_v16 sum[X][4] = {};                                                                      \
    for (int s = 0; s < 4; s += ROWS) {                                                          \
      slm_v16 own[X][ROWS] = {};                                                                 \
      for (int64_t b = 0; b < depth / 32; b++) {                                                 \
        slm_v16 total[X];                                                                        \
        SLM_UNROLL for (int i = 0; i < X; i++) {                                                 \
          const float *from = x + i * x_step + 32 * b;                                           \
          if (MIDDLE != 0) total[i] = SLM_LOAD16(from) + SLM_LOAD16(from + 16);                  \
          if (MIDDLE > 0) total[i] *= -(float)MIDDLE;                                            \
        }                                                                                        \
        SLM_UNROLL for (int r = 0; r < ROWS; r++) {                                              \
          const uint8_t *p = (const uint8_t *)w[s + r] + b * BYTES;                              \
          if (AHEAD > 0) __builtin_prefetch(p + AHEAD);                                          \
          float d = slm_half_at(p), m = MIDDLE < 0 ? slm_half_at(p + 2) : 0;                     \
          slm_v16 low, high;                                                                     \
          CODES(p, low, high);                                                                   \
          SLM_UNROLL for (int i = 0; i < X; i++) {                                               \
            const float *from = x + i * x_step + 32 * b;                                         \
            slm_v16 part;                                                                        \
            if (MIDDLE > 0)                                                                      \
              part = low * SLM_LOAD16(from) + total[i];                                          \
            else                                                                                 \
              part = low * SLM_LOAD16(from);                                                     \
            part = high * SLM_LOAD16(from + 16) + part;                                          \
            own[i][r] = part * d + own[i][r];                                                    \
            if (MIDDLE < 0) own[i][r] = total[i] * m + own[i][r];                                \
          }                                                                                      \
        }                                                                                        \
      }                                                                                          \
      SLM_UNROLL for (int i = 0; i < X; i++)                                                     \
        SLM_UNROLL for (int r = 0; r < ROWS; r++) sum[i][s + r] = own[i][r];                     \
    }                                                                                            \
    SLM_UNROLL for (int i = 0; i < X; i++) slm_sums4(sum[i], dots + 4 * i);                      \
  } while (0)

// Defines a function that writes dots[i][r] for `rows` rows of x, at most four.
#define SLM_DEFINE_BLOCK_DOTS(NAME, ROWS, AHEAD, BYTES, MIDDLE, CODES)                           \
  SLM_MULTIVERSION static void NAME(                                                             \
      const void *const *w, const struct slm_codes *codes, const float *x, int64_t x_step,       \
      int64_t rows, int64_t depth, float *dots) {                                                \
    (void)codes;                                                                                 \
    switch (rows) {                                                                              \
    case 1: SLM_BLOCK_DOTS(1, ROWS, AHEAD, BYTES, MIDDLE, CODES); break;                         \
    case 2: SLM_BLOCK_DOTS(2, 1, AHEAD, BYTES, MIDDLE, CODES); break;                            \
    case 3: SLM_BLOCK_DOTS(3, 1, AHEAD, BYTES, MIDDLE, CODES); break;                            \
    default: SLM_BLOCK_DOTS(4, 1, AHEAD, BYTES, MIDDLE, CODES);                                  \
    }                                                                                            \
  }
