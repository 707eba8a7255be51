#pragma once

#include <stddef.h>
#include <stdint.h>

// Losses of rows of logits, and the similarity of rows. Nothing need be aligned; numbers a row are
// double.

#define SLM_LOSSES(REAL, SUFFIX)                                                                \
  /* losses[row] = -sum q log softmax(x), q being 1 - smoothing at the target plus              \
     smoothing / columns everywhere; 0 where the target is negative. log_sums[row] = log sum    \
     exp x, for the gradient. */                                                                \
  void slm_cross_entropy_##SUFFIX(                                                              \
      const REAL *x, const int32_t *targets, int64_t rows, int64_t columns, double smoothing,   \
      double *log_sums, double *losses);                                                        \
  /* dx = factors[row] * (softmax(x) - q); 0 where the target is negative. */                   \
  void slm_cross_entropy_gradient_##SUFFIX(                                                     \
      const REAL *x, const int32_t *targets, int64_t rows, int64_t columns, double smoothing,   \
      const double *log_sums, const double *factors, REAL *dx);                                 \
  /* losses[row] = sum p log(p / q), p = softmax(scale * reference), q = softmax(scale * x).    \
     log_sums[2 * row] and the next: log sum exp of scale * x and of scale * reference. */      \
  void slm_divergence_##SUFFIX(                                                                 \
      const REAL *x, const REAL *reference, int64_t rows, int64_t columns, double scale,        \
      double *log_sums, double *losses);                                                        \
  /* dx = factors[row] * (q - p). */                                                            \
  void slm_divergence_gradient_##SUFFIX(                                                        \
      const REAL *x, const REAL *reference, int64_t rows, int64_t columns, double scale,        \
      const double *log_sums, const double *factors, REAL *dx);                                 \
  /* out[row] = <x, y> / (|x| |y|), 0 if either is 0. */                                        \
  void slm_cosine_##SUFFIX(                                                                     \
      const REAL *x, const REAL *y, int64_t rows, int64_t columns, REAL *out);                  \
  /* dx = factors[row] * d cosine / dx. */                                                      \
  void slm_cosine_gradient_##SUFFIX(                                                            \
      const REAL *x, const REAL *y, const REAL *factors, int64_t rows, int64_t columns,         \
      REAL *dx);

SLM_LOSSES(float, f32)
SLM_LOSSES(double, f64)
#undef SLM_LOSSES
