#pragma once

#include <stddef.h>
#include <stdint.h>

// Loops over rows of `columns` elements. Nothing need be aligned; `out` may be `x`.

#define SLM_ROWS(REAL, SUFFIX)                                                                  \
  /* out = x / sqrt(mean(x^2) + epsilon) * (weight + shift); weight may be NULL. */             \
  void slm_rms_norm_##SUFFIX(                                                                   \
      const REAL *x, int64_t rows, int64_t columns, const REAL *weight, REAL shift,             \
      double epsilon, REAL *out);                                                               \
  /* out = (x - mean) / sqrt(variance + epsilon) * weight + bias; bias may be NULL. */          \
  void slm_layer_norm_##SUFFIX(                                                                 \
      const REAL *x, int64_t rows, int64_t columns, const REAL *weight, const REAL *bias,       \
      double epsilon, REAL *out);                                                               \
  /* out = exp(x - max) / sum. */                                                               \
  void slm_softmax_##SUFFIX(const REAL *x, int64_t rows, int64_t columns, REAL *out);           \
  /* out = x - log sum exp x. */                                                                \
  void slm_log_softmax_##SUFFIX(const REAL *x, int64_t rows, int64_t columns, REAL *out);       \
  /* out[row] = log sum exp of the row. */                                                      \
  void slm_log_sum_exp_##SUFFIX(const REAL *x, int64_t rows, int64_t columns, REAL *out);       \
  /* out[row] = the first column with the largest element. */                                   \
  void slm_largest_column_##SUFFIX(                                                             \
      const REAL *x, int64_t rows, int64_t columns, int32_t *out);                              \
  /* out[row] = sum of the row. */                                                              \
  void slm_row_sums_##SUFFIX(const REAL *x, int64_t rows, int64_t columns, REAL *out);          \
  /* out[column] += sum over rows, squared first if asked; x has `step` elements a row. */      \
  void slm_column_sums_##SUFFIX(                                                                \
      const REAL *x, int64_t rows, int64_t columns, int64_t step, int squared, double *out);    \
  /* Turns pairs (j, j + rotated / 2) of each head by the angles of its token: the half-split   \
     layout of Hugging Face and GPT-NeoX. x and out are [tokens, heads, channels], cosines and  \
     sines [tokens, rotated / 2]; channels from `rotated` on are copied. `direction` is 1, or   \
     -1 to turn back. */                                                                        \
  void slm_rotary_##SUFFIX(                                                                     \
      const REAL *x, int64_t tokens, int64_t heads, int64_t channels, int64_t rotated,          \
      const REAL *cosines, const REAL *sines, REAL direction, REAL *out);                       \
  /* out [columns, rows] = x [rows, columns] transposed, for rows begin..<end of out. */        \
  void slm_transpose_##SUFFIX(                                                                  \
      const REAL *x, int64_t rows, int64_t columns, int64_t begin, int64_t end, REAL *out);

SLM_ROWS(float, f32)
SLM_ROWS(double, f64)
#undef SLM_ROWS
