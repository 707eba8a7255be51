// Backward loops over elements; see each_real.h.

// x / 2 * (1 + tanh(u)) is x * sigmoid(2u), which does not cancel.
#define SIGMOID(x) ((REAL)1 / ((REAL)1 + F(slm_exp)(-(x))))
#define GELU_TANH_ARGUMENT(x) \
  ((REAL)1.5957691216057308 * ((x) + (REAL)0.044715 * (x) * (x) * (x)))
#define GELU_TANH_SLOPE(x) ((REAL)1.5957691216057308 * (1 + (REAL)0.134145 * (x) * (x)))
#define NORMAL_SHARE(x) ((REAL)0.5 * (1 + F(slm_erf)((x) * (REAL)0.70710678118654752)))
#define NORMAL_DENSITY(x) ((REAL)0.39894228040143268 * F(slm_exp)((REAL)-0.5 * (x) * (x)))

// DO(OPERATION, function, common term t, value, slope), of x.
#define EACH_UNARY(DO)                                                    \
  DO(SLM_EXP, exp, F(slm_exp)(x), t, t)                                   \
  DO(SLM_LOG, log, 1 / x, t, t)                                           \
  DO(SLM_SQUARE_ROOT, square_root, F(slm_sqrt)(x), t, (REAL)0.5 / t)      \
  DO(SLM_SQUARE, square, 2 * x, t, t)                                     \
  DO(SLM_ABSOLUTE, absolute, (REAL)(x > 0 ? 1 : x < 0 ? -1 : 0), x * t, t)\
  DO(SLM_TANH, tanh, F(slm_tanh)(x), t, 1 - t * t)                        \
  EACH_GATE(DO)
#define EACH_GATE(DO)                                                     \
  DO(SLM_SIGMOID, sigmoid, SIGMOID(x), t, t * (1 - t))                    \
  DO(SLM_SILU, silu, SIGMOID(x), x * t, t + x * t * (1 - t))              \
  DO(SLM_RELU, relu, (REAL)(x > 0 ? 1 : 0), x * t, t)                     \
  DO(SLM_GELU, gelu, NORMAL_SHARE(x), x * t, t + x * NORMAL_DENSITY(x))   \
  DO(SLM_GELU_TANH, gelu_tanh, SIGMOID(GELU_TANH_ARGUMENT(x)), x * t,     \
     t + x * t * (1 - t) * GELU_TANH_SLOPE(x))

#define UNARY(OPERATION, FUNCTION, TERM, VALUE, SLOPE)                                     \
  SLM_MULTIVERSION static void NAME(FUNCTION##_slope)(                                     \
      const UNALIGNED *in, const UNALIGNED *dy, int64_t count, UNALIGNED *dx) {            \
    for (int64_t i = 0; i < count; i++) {                                                  \
      REAL x = in[i], t = TERM;                                                            \
      dx[i] = dy[i] * (SLOPE);                                                             \
    }                                                                                      \
  }
EACH_UNARY(UNARY)
#undef UNARY

#define GATED(OPERATION, FUNCTION, TERM, VALUE, SLOPE)                                     \
  SLM_MULTIVERSION static void NAME(FUNCTION##_gate_slopes)(                               \
      const UNALIGNED *gate, const UNALIGNED *up, const UNALIGNED *dy, int64_t count,      \
      UNALIGNED *restrict dgate, UNALIGNED *restrict dup) {                                \
    for (int64_t i = 0; i < count; i++) {                                                  \
      REAL x = gate[i], t = TERM;                                                          \
      dgate[i] = dy[i] * up[i] * (SLOPE);                                                  \
      dup[i] = dy[i] * (VALUE);                                                            \
    }                                                                                      \
  }
EACH_GATE(GATED)
#undef GATED

#define CASE(OPERATION, FUNCTION, TERM, VALUE, SLOPE) \
  case OPERATION: NAME(FUNCTION##_slope)(x, dy, count, dx); break;
void NAME(slm_unary_gradient)(
    int operation, const REAL *x, const REAL *dy, int64_t count, REAL *dx) {
  switch (operation) { EACH_UNARY(CASE) }
}
#undef CASE

#define CASE(OPERATION, FUNCTION, TERM, VALUE, SLOPE) \
  case OPERATION: NAME(FUNCTION##_gate_slopes)(gate, up, dy, count, dgate, dup); break;
void NAME(slm_gated_gradient)(
    int operation, const REAL *gate, const REAL *up, const REAL *dy, int64_t count, REAL *dgate,
    REAL *dup) {
  switch (operation) { EACH_GATE(CASE) }
}
#undef CASE
#undef EACH_UNARY
#undef EACH_GATE
#undef SIGMOID
#undef GELU_TANH_ARGUMENT
#undef GELU_TANH_SLOPE
#undef NORMAL_SHARE
#undef NORMAL_DENSITY

SLM_MULTIVERSION void NAME(slm_dropout)(
    const REAL *x, uint64_t seed, uint64_t first, uint32_t threshold, REAL scale, int64_t count,
    REAL *out) {
  const UNALIGNED *in = x;
  for (int64_t done = 0; done < count;) {
    // Indices with the same high half: the loop counts in 32 bits.
    uint32_t low = (uint32_t)(first + (uint64_t)done), high = (uint32_t)((first + done) >> 32);
    int64_t left = INT64_C(0x100000000) - low;
    int64_t n = count - done < left ? count - done : left;
    uint32_t inner = slm_mixed((uint32_t)seed + 0x9e3779b9u);
    uint32_t outer = slm_mixed(inner + slm_mixed((uint32_t)(seed >> 32) + slm_mixed(high)));
    for (int64_t i = 0; i < n; i++) {
      uint32_t drawn = slm_mixed(slm_mixed(low + (uint32_t)i + inner) ^ outer);
      out[done + i] = drawn >= threshold ? scale * in[done + i] : 0;
    }
    done += n;
  }
}
