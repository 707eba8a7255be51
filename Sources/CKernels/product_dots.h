#pragma once

#include "numbers.h"
#include "slm_matrix.h"

// Dot products of four rows of a weight with one to four rows of x, the weight widened in
// registers. LOAD(r, k, scale) is the vector of columns k...k + 15 of row r, and SCALE(r, k) what
// 32 columns have in common.

#define SLM_DOTS_TOGETHER 4

#define SLM_DOTS_STEP(X, LOAD, k)                                                     \
  do {                                                                                \
    slm_v16 row[4] = {                                                                \
        LOAD(0, k, scale[0]), LOAD(1, k, scale[1]), LOAD(2, k, scale[2]),             \
        LOAD(3, k, scale[3])};                                                        \
    for (int i = 0; i < X; i++) {                                                     \
      slm_v16 column = SLM_LOAD16(x + i * x_step + (k));                              \
      for (int r = 0; r < 4; r++) sum[i][r] += row[r] * column;                       \
    }                                                                                 \
  } while (0)

#define SLM_DOTS(X, SCALE, LOAD)                                                      \
  do {                                                                                \
    slm_v16 sum[X][4] = {};                                                           \
    for (int64_t k = 0; k + 16 <= depth; k += 32) {                                   \
      float scale[4] = {SCALE(0, k), SCALE(1, k), SCALE(2, k), SCALE(3, k)};          \
      (void)scale;                                                                    \
      SLM_DOTS_STEP(X, LOAD, k);                                                      \
      if (k + 32 <= depth) SLM_DOTS_STEP(X, LOAD, k + 16);                            \
    }                                                                                 \
    for (int i = 0; i < X; i++) slm_sums4(sum[i], dots + 4 * i);                      \
  } while (0)

// Defines a function that writes dots[i][r] for `rows` rows of x, at most four.
#define SLM_DEFINE_DOTS(NAME, SCALE, LOAD)                                                   \
  SLM_MULTIVERSION static void NAME(                                                  \
      const void *const *w, const struct slm_codes *codes, const float *x,            \
      int64_t x_step, int64_t rows, int64_t depth, float *dots) {                     \
    (void)codes;                                                                      \
    switch (rows) {                                                                   \
    case 1: SLM_DOTS(1, SCALE, LOAD); break;                                                 \
    case 2: SLM_DOTS(2, SCALE, LOAD); break;                                                 \
    case 3: SLM_DOTS(3, SCALE, LOAD); break;                                                 \
    default: SLM_DOTS(4, SCALE, LOAD);                                                       \
    }                                                                                 \
  }

// Scale and zero of each group of four rows of codes, widened.
struct slm_codes {
  int64_t group;
  const float *scales[SLM_DOTS_TOGETHER];
  const float *zeros[SLM_DOTS_TOGETHER];
};

typedef uint16_t slm_h16 __attribute__((ext_vector_type(16), aligned(1)));
typedef _Float16 slm_f16x16 __attribute__((ext_vector_type(16), aligned(1)));
typedef int8_t slm_b16 __attribute__((ext_vector_type(16), aligned(1)));
typedef uint8_t slm_ub16 __attribute__((ext_vector_type(16), aligned(1)));

#define SLM_ROW_AT(TYPE, r, offset) (*(const TYPE *)((const char *)w[r] + (offset)))
#define SLM_NO_SCALE(r, k) 0
#define SLM_LOAD_F32(r, k, scale) SLM_ROW_AT(slm_v16u, r, 4 * (k))
#define SLM_LOAD_F16(r, k, scale) \
  __builtin_convertvector(SLM_ROW_AT(slm_f16x16, r, 2 * (k)), slm_v16)
#define SLM_LOAD_BF16(r, k, scale) \
  ((slm_v16)(__builtin_convertvector(SLM_ROW_AT(slm_h16, r, 2 * (k)), slm_u16) << 16))
#define SLM_LOAD_I8(r, k, scale) __builtin_convertvector(SLM_ROW_AT(slm_b16, r, k), slm_v16)

// Blocks of 32 start with their scale in half precision.
typedef _Float16 slm_half __attribute__((aligned(1)));
// Sixteen codes of 4 bits are two words of eight; lane i wants them shifted by 4 i.
typedef uint32_t slm_words __attribute__((ext_vector_type(2), aligned(1)));
#define SLM_WORDS(r, k)                                                                  \
  __builtin_shufflevector(                                                               \
      SLM_ROW_AT(slm_words, r, (k) / 2), SLM_ROW_AT(slm_words, r, (k) / 2), 0, 0, 0, 0,  \
      0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
#define SLM_SHIFTS (slm_u16){0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28}
#define SLM_LOAD_CODES4(r, k, scale)                                                     \
  ((__builtin_convertvector((slm_i16)(SLM_WORDS(r, k) >> SLM_SHIFTS & 15), slm_v16)      \
    - codes->zeros[r][(k) / codes->group])                                               \
   * codes->scales[r][(k) / codes->group])
