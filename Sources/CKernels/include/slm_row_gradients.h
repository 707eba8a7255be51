#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Backward loops over rows of `columns` elements. Nothing need be aligned. With `accumulate`, dx is
// added to instead of being overwritten. Gradients that are NULL are not computed; those by
// weights are [columns] and the sums over the rows given, in order.

#define SLM_ROW_GRADIENTS(REAL, SUFFIX)                                                         \
  void slm_rms_norm_gradient_##SUFFIX(                                                          \
      const REAL *x, const REAL *dy, int64_t rows, int64_t columns, const REAL *weight,         \
      REAL shift, double epsilon, bool accumulate, REAL *dx, REAL *dweight);                    \
  void slm_layer_norm_gradient_##SUFFIX(                                                        \
      const REAL *x, const REAL *dy, int64_t rows, int64_t columns, const REAL *weight,         \
      double epsilon, bool accumulate, REAL *dx, REAL *dweight, REAL *dbias);                   \
  /* From the result y. */                                                                      \
  void slm_softmax_gradient_##SUFFIX(                                                           \
      const REAL *y, const REAL *dy, int64_t rows, int64_t columns, REAL *dx);                  \
  void slm_log_softmax_gradient_##SUFFIX(                                                       \
      const REAL *y, const REAL *dy, int64_t rows, int64_t columns, REAL *dx);                  \
  /* From the input x and the result y, one number a row as dy is. */                           \
  void slm_log_sum_exp_gradient_##SUFFIX(                                                       \
      const REAL *x, const REAL *y, const REAL *dy, int64_t rows, int64_t columns, REAL *dx);

SLM_ROW_GRADIENTS(float, f32)
SLM_ROW_GRADIENTS(double, f64)
#undef SLM_ROW_GRADIENTS
