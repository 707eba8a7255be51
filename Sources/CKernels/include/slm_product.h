#pragma once

#include "slm_matrix.h"

// The product y[rows, outputs] = x[rows, depth] * weight[outputs, depth]^T (+ bias).
struct slm_product {
  int64_t rows, outputs, depth;
  const struct slm_matrix *weight;
  const float *bias;  // [outputs], or NULL
  float *y;
  int64_t y_step;  // elements between rows of y
  // The rows of x as slm_prepare writes them, or NULL where slm_prepared_floats is 0.
  const float *prepared;
};

// The floats that preparing x takes, once for the whole product, before slm_product_rows; 0 where
// it is taken as it is.
int64_t slm_prepared_floats(const struct slm_product *product);

// Puts all rows of x into the order in which the weight's codes come.
void slm_prepare(
    const struct slm_product *product, const float *x, int64_t x_step, float *prepared);

// Computes outputs begin..<end of few rows, straight from x[rows][x_step], at the speed at which
// the weight can be read.
void slm_product_rows(
    const struct slm_product *product, const float *x, int64_t x_step, int64_t begin, int64_t end);

// Rows of x in a panel.
#define SLM_PANEL_ROWS 48

// The inner loop of attention's products.
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

// A weight without the blocks of 16 rows and one column that are zero.
struct slm_strips {
  int type;                // of the values: SLM_FLOAT32, SLM_FLOAT16 or SLM_BFLOAT16
  const int64_t *begins;   // [strips + 1], where the blocks of each 16 rows begin
  const uint16_t *columns; // [blocks], rising in a strip
  const void *values;      // [blocks][16]
};

// Finds the columns of 16 rows in which any has a number other than zero of either sign; `size` is
// that of a number, 2 or 4 bytes. Returns how many.
int64_t slm_strip_columns(
    const void *rows, int64_t row_bytes, int size, int64_t columns, uint16_t *found);

// Writes the 16 numbers of each of these columns.
void slm_strip_values(
    const void *rows, int64_t row_bytes, int size, const uint16_t *found, int64_t count,
    void *values);

// Computes strips begin..<end, 16 outputs each, of few rows of x: a sum over a strip's blocks in
// four parts, of every fourth block, which do not depend on how many rows there are.
void slm_product_strips(
    const struct slm_product *product, const struct slm_strips *strips, const float *x,
    int64_t x_step, int64_t begin, int64_t end);
