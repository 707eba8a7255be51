#pragma once

#include <stdbool.h>

#include "vectors.h"

// Columns of a packed panel: the rows of x that one sweep of a weight serves.
#define SLM_PANEL 48  // SLM_PANEL_ROWS of slm_product.h

// The inner loop of every matrix product.
//
//     out[r][i] (+)= sum over k of w[r * row_step + k * depth_step] * x[k][i]
//
// for `rows` rows of w and the first 16 * vectors columns of a panel x, [depth][48]; out is
// [rows][48]. Both steps of w are free, so that w is read where it lies: a widened weight and the
// keys of attention along rows, the values of attention along columns.
typedef void slm_tile_sweep(
    int vectors, int64_t rows, int64_t depth, const float *x, const float *w, int64_t row_step,
    int64_t depth_step, float *out, bool accumulate);

// The sweep for this machine's CPU, chosen when the program is loaded.
extern slm_tile_sweep *slm_sweep;

// Multiplies R rows of w by V vectors of x, in R * V accumulators that stay in registers.
#define SLM_TILE(V, R)                                                                     \
  do {                                                                                     \
    slm_v16 sum[R][V];                                                                     \
    for (int r = 0; r < R; r++)                                                            \
      for (int v = 0; v < V; v++)                                                          \
        sum[r][v] = accumulate ? SLM_LOAD16(out + r * SLM_PANEL + 16 * v) : (slm_v16){};   \
    for (int64_t k = 0; k < depth; k++) {                                                  \
      slm_v16 column[V];                                                                   \
      for (int v = 0; v < V; v++) column[v] = SLM_LOAD16(x + k * SLM_PANEL + 16 * v);      \
      for (int r = 0; r < R; r++) {                                                        \
        float weight = w[r * row_step + k * depth_step];                                   \
        for (int v = 0; v < V; v++) sum[r][v] += weight * column[v];                       \
      }                                                                                    \
    }                                                                                      \
    for (int r = 0; r < R; r++)                                                            \
      for (int v = 0; v < V; v++) SLM_STORE16(out + r * SLM_PANEL + 16 * v, sum[r][v]);    \
  } while (0)
