#pragma once

#include "slm_integer.h"
#include "vectors.h"

typedef int32_t slm_i4 __attribute__((ext_vector_type(4)));
typedef int32_t slm_i8 __attribute__((ext_vector_type(8)));

// The same at any address.
typedef int32_t slm_i4u __attribute__((ext_vector_type(4), aligned(4)));
typedef int32_t slm_i8u __attribute__((ext_vector_type(8), aligned(4)));
typedef int32_t slm_i16u __attribute__((ext_vector_type(16), aligned(4)));
typedef float slm_v4u __attribute__((ext_vector_type(4), aligned(4)));
typedef float slm_v8u __attribute__((ext_vector_type(8), aligned(4)));

// Sums stay in registers only if every loop over them is unrolled.
#define SLM_UNROLLED _Pragma("clang loop unroll(full)")

#define SLM_AT(T, p) (*(const T *)(const void *)(p))
#define SLM_PUT(T, p, v) (*(T *)(void *)(p) = (v))

// A tile of R rows and V vectors of LANES columns, I and F being vectors of integers and floats.
// MULTIPLY_ADD(sum, word, column) adds the products of the numbers in two vectors of words. Sums
// stay in registers over the columns of a group; c, which the first cache holds, takes what several
// groups come to.
#define SLM_INTEGER_TILE(R, V, LANES, I, F, MULTIPLY_ADD)                                          \
  const char *a = t->a, *b = t->b;                                                                 \
  for (int64_t g = 0; g < t->groups; g++) {                                                        \
    I sum[R][V];                                                                                   \
    SLM_UNROLLED for (int v = 0; v < V; v++) {                                                     \
      I start = {};                                                                                \
      if (t->start != NULL) start = SLM_AT(I##u, t->start + (g * V + v) * LANES);                  \
      SLM_UNROLLED for (int r = 0; r < R; r++) sum[r][v] = start;                                  \
    }                                                                                              \
    if (t->continues)                                                                              \
      SLM_UNROLLED for (int r = 0; r < R; r++)                                                     \
        SLM_UNROLLED for (int v = 0; v < V; v++)                                                   \
          sum[r][v] += SLM_AT(I##u, t->c + r * t->c_step + v * LANES);                             \
    _Pragma("clang loop unroll_count(2)") for (int64_t k = 0; k < t->words; k++) {                 \
      I column[V];                                                                                 \
      SLM_UNROLLED for (int v = 0; v < V; v++) column[v] = SLM_AT(I##u, b + (v * LANES) * 4);      \
      SLM_UNROLLED for (int r = 0; r < R; r++) {                                                   \
        I word = (I){} + *(const int32_t *)(a + r * 4);                                            \
        SLM_UNROLLED for (int v = 0; v < V; v++) MULTIPLY_ADD(sum[r][v], word, column[v]);         \
      }                                                                                            \
      a += R * 4;                                                                                  \
      b += V * LANES * 4;                                                                          \
    }                                                                                              \
    if (t->keeps) {                                                                                \
      SLM_UNROLLED for (int r = 0; r < R; r++)                                                     \
        SLM_UNROLLED for (int v = 0; v < V; v++)                                                   \
          SLM_PUT(I##u, t->c + r * t->c_step + v * LANES, sum[r][v]);                              \
      continue;                                                                                    \
    }                                                                                              \
    bool adds = g > 0 || t->adds, is_last = t->row_scales != NULL && g + 1 == t->groups;           \
    SLM_UNROLLED for (int v = 0; v < V; v++) {                                                     \
      F scale = SLM_AT(F##u, t->scales + (g * V + v) * LANES);                                     \
      SLM_UNROLLED for (int r = 0; r < R; r++) {                                                   \
        float *out = t->c + r * t->c_step + v * LANES;                                             \
        F value = __builtin_convertvector(sum[r][v], F) * scale;                                   \
        if (adds) value = SLM_AT(F##u, out) + value;                                               \
        if (is_last) {                                                                             \
          value = value * t->row_scales[r];                                                        \
          if (t->bias != NULL) value += SLM_AT(F##u, t->bias + v * LANES);                         \
        }                                                                                          \
        SLM_PUT(F##u, out, value);                                                                 \
      }                                                                                            \
    }                                                                                              \
  }
