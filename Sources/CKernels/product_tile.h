#pragma once

#include "slm_product.h"
#include "vectors.h"

#define SLM_PANEL SLM_PANEL_ROWS

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
