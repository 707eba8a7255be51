#pragma once

#include <stddef.h>
#include <stdint.h>

// Loops over elements. All pointers but `out` may be unaligned; `out` may be an input.

enum slm_binary {
  SLM_ADD,
  SLM_SUBTRACT,
  SLM_MULTIPLY,
  SLM_DIVIDE,
  SLM_MAXIMUM,
  SLM_MINIMUM,
  SLM_PREFER,  // 1 where a > b, 0 where a < b, otherwise 1/2
};

enum slm_unary {
  SLM_EXP,
  SLM_LOG,
  SLM_SQUARE_ROOT,
  SLM_SQUARE,
  SLM_ABSOLUTE,
  SLM_TANH,
  SLM_SIGMOID,    // 1 / (1 + exp(-x))
  SLM_SILU,       // x * sigmoid(x)
  SLM_RELU,       // max(x, 0)
  SLM_GELU,       // x / 2 * (1 + erf(x / sqrt 2))
  SLM_GELU_TANH,  // x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
};

#define SLM_ELEMENTWISE(REAL, SUFFIX)                                                         \
  /* out[i] = a[i * a_step] op b[i * b_step], steps 0 or 1. */                                \
  void slm_binary_##SUFFIX(                                                                   \
      int operation, const REAL *a, int a_step, const REAL *b, int b_step, int64_t count,     \
      REAL *out);                                                                             \
  /* out[i] = op(x[i]). */                                                                    \
  void slm_unary_##SUFFIX(int operation, const REAL *x, int64_t count, REAL *out);            \
  /* out[i] = op(gate[i]) * up[i], for SILU, RELU, GELU, GELU_TANH and SIGMOID. */            \
  void slm_gated_##SUFFIX(                                                                    \
      int operation, const REAL *gate, const REAL *up, int64_t count, REAL *out);             \
  /* out[i] = scale * x[i] + shift. */                                                        \
  void slm_affine_##SUFFIX(const REAL *x, REAL scale, REAL shift, int64_t count, REAL *out);  \
  /* y[i] += scale * x[i]. */                                                                 \
  void slm_add_scaled_##SUFFIX(REAL scale, const REAL *x, int64_t count, REAL *y);            \
  /* Sum of x[i], of x[i]^2, of x[i] * y[i]; largest |x[i]|. In sixteen running sums. */      \
  double slm_sum_##SUFFIX(const REAL *x, int64_t count);                                      \
  double slm_dot_##SUFFIX(const REAL *x, const REAL *y, int64_t count);                       \
  double slm_largest_##SUFFIX(const REAL *x, int64_t count);

SLM_ELEMENTWISE(float, f32)
SLM_ELEMENTWISE(double, f64)
#undef SLM_ELEMENTWISE
