#pragma once

#include <stddef.h>
#include <stdint.h>

#include "slm_elementwise.h"

// Backward loops over elements. Nothing need be aligned; `dx` may be `dy`.

#define SLM_ELEMENTWISE_GRADIENTS(REAL, SUFFIX)                                               \
  /* dx[i] = op'(x[i]) * dy[i]; 0 at a kink. */                                               \
  void slm_unary_gradient_##SUFFIX(                                                           \
      int operation, const REAL *x, const REAL *dy, int64_t count, REAL *dx);                 \
  /* For y[i] = op(gate[i]) * up[i]: both gradients in one pass. */                           \
  void slm_gated_gradient_##SUFFIX(                                                           \
      int operation, const REAL *gate, const REAL *up, const REAL *dy, int64_t count,         \
      REAL *dgate, REAL *dup);                                                                \
  /* out[i] = scale * x[i] where a number in 0..<2^32 drawn for (seed, first + i) is at       \
     least `threshold`, otherwise 0. */                                                       \
  void slm_dropout_##SUFFIX(                                                                  \
      const REAL *x, uint64_t seed, uint64_t first, uint32_t threshold, REAL scale,           \
      int64_t count, REAL *out);

SLM_ELEMENTWISE_GRADIENTS(float, f32)
SLM_ELEMENTWISE_GRADIENTS(double, f64)
#undef SLM_ELEMENTWISE_GRADIENTS
