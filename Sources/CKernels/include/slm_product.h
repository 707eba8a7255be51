#pragma once

#include "slm_matrix.h"

// The product y[rows, outputs] = x[rows, depth] * weight[outputs, depth]^T (+ bias).
//
// x is packed once into panels of 48 rows, depth-major, by `slm_panels_pack`. Then threads take
// ranges of outputs: they widen a block of the weight into their scratch and sweep all panels with
// it. Every element of y is summed by one thread in one order, whatever the number of threads.
struct slm_product {
  int64_t rows, outputs, depth;
  const struct slm_matrix *weight;
  const float *panels;
  const float *bias;  // [outputs], or NULL
  float *y;
  int64_t y_step;   // elements between rows of y
  bool accumulate;  // adds to what y holds
};

// Rows of x in a panel, and outputs that a thread best takes at a time.
#define SLM_PANEL_ROWS 48
#define SLM_OUTPUTS 96

// Packs panels first..<last of x, each [depth][48] and zero beyond the rows of x, times `scale`.
// Element (i, k) of x is at x[i * row_step + k * depth_step]; one of the steps is 1.
void slm_panels_pack(
    const float *x, int64_t row_step, int64_t depth_step, int64_t rows, int64_t depth, float scale,
    int64_t first, int64_t last, float *panels);

// Computes outputs begin..<end of all rows.
void slm_product_panels(const struct slm_product *product, int64_t begin, int64_t end);

// The same for few rows, straight from x[rows][x_step], at the speed at which the weight can be
// read. `accumulate` and a transposed weight are not supported.
void slm_product_rows(
    const struct slm_product *product, const float *x, int64_t x_step, int64_t begin, int64_t end);

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

// The sweeps that this machine's CPU can run, best first; NULL from the last on. For tests and
// measurements: products use the first.
slm_tile_sweep *slm_sweep_variant(int index);
