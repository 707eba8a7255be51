#pragma once

#include "slm_dense.h"
#include "vectors.h"

// Words before the end of a tile at which the rows of c are asked for: earlier they could be pushed
// out of the first cache again, later they would not be there in time.
#define SLM_LATE 64

// A tile of R rows and V vectors of sixteen columns, whose sums stay in registers while the slices
// are read once. LOAD and BROADCAST read words, and ADD(sum, word, column) adds their product.
#define SLM_DENSE_TILE(R, V, WORDS, LOAD, BROADCAST, ADD)                                      \
  slm_v16 sum[R][V] = {};                                                                      \
  int64_t late = words > SLM_LATE ? words - SLM_LATE : 0;                                      \
  SLM_DENSE_STEPS(R, V, 0, late, WORDS, LOAD, BROADCAST, ADD)                                  \
  for (int r = 0; r < R; r++)                                                                  \
    for (int v = 0; v < V; v++) __builtin_prefetch(c + r * c_step + 16 * v, 1);                \
  SLM_DENSE_STEPS(R, V, late, words, WORDS, LOAD, BROADCAST, ADD)                              \
  for (int r = 0; r < R; r++)                                                                  \
    for (int v = 0; v < V; v++) {                                                              \
      float *out = c + r * c_step + 16 * v;                                                    \
      if (bias != NULL) sum[r][v] += SLM_LOAD16(bias + 16 * v);                                \
      if (accumulate) sum[r][v] += SLM_LOAD16(out);                                            \
      SLM_STORE16(out, sum[r][v]);                                                             \
    }

#define SLM_DENSE_STEPS(R, V, FIRST, LAST, WORDS, LOAD, BROADCAST, ADD)                        \
  _Pragma("clang loop unroll_count(4)") for (int64_t k = FIRST; k < LAST; k++) {               \
    WORDS column[V];                                                                           \
    for (int v = 0; v < V; v++) column[v] = LOAD((const char *)b + (k * V + v) * 64);          \
    for (int r = 0; r < R; r++) {                                                              \
      BROADCAST(word, (const char *)a + (k * R + r) * 4);                                      \
      for (int v = 0; v < V; v++) ADD(sum[r][v], word, column[v]);                             \
    }                                                                                          \
  }

#define SLM_DENSE_ARGUMENTS                                                                   \
  int64_t words, const void *restrict a, const void *restrict b, float *restrict c,           \
      int64_t c_step, const float *bias, bool accumulate
