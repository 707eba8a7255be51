// Included once for each REAL, with NAME(x) giving the function's name and F(x) the scalar
// function's.

#define BINARY(FUNCTION, EXPRESSION)                                                     \
  SLM_MULTIVERSION static void NAME(FUNCTION)(                                           \
      const UNALIGNED *a, const UNALIGNED *b, int64_t count, UNALIGNED *out) {           \
    for (int64_t i = 0; i < count; i++) {                                                \
      REAL x = a[i], y = b[i];                                                           \
      out[i] = EXPRESSION;                                                               \
    }                                                                                    \
  }                                                                                      \
  SLM_MULTIVERSION static void NAME(FUNCTION##_left)(                                    \
      REAL x, const UNALIGNED *b, int64_t count, UNALIGNED *out) {                       \
    for (int64_t i = 0; i < count; i++) {                                                \
      REAL y = b[i];                                                                     \
      out[i] = EXPRESSION;                                                               \
    }                                                                                    \
  }                                                                                      \
  SLM_MULTIVERSION static void NAME(FUNCTION##_right)(                                   \
      const UNALIGNED *a, REAL y, int64_t count, UNALIGNED *out) {                       \
    for (int64_t i = 0; i < count; i++) {                                                \
      REAL x = a[i];                                                                     \
      out[i] = EXPRESSION;                                                               \
    }                                                                                    \
  }

BINARY(add, x + y)
BINARY(subtract, x - y)
BINARY(multiply, x *y)
BINARY(divide, x / y)
BINARY(maximum, x > y ? x : y)
BINARY(minimum, x < y ? x : y)
BINARY(prefer, x > y ? (REAL)1 : x < y ? (REAL)0 : (REAL)0.5)
#undef BINARY

void NAME(slm_binary)(
    int operation, const REAL *a, int a_step, const REAL *b, int b_step, int64_t count,
    REAL *out) {
#define CASE(OPERATION, FUNCTION)                                          \
  case OPERATION:                                                          \
    if (count < 1) break;                                                  \
    if (a_step == 0)                                                       \
      NAME(FUNCTION##_left)(*(const UNALIGNED *)a, b, count, out);         \
    else if (b_step == 0)                                                  \
      NAME(FUNCTION##_right)(a, *(const UNALIGNED *)b, count, out);        \
    else                                                                   \
      NAME(FUNCTION)(a, b, count, out);                                    \
    if (a_step == 0 && b_step == 0)                                        \
      for (int64_t i = 0; i < count; i++)                                  \
        NAME(FUNCTION)(a, b, 1, out + i);                                  \
    break;
  switch (operation) {
    CASE(SLM_ADD, add)
    CASE(SLM_SUBTRACT, subtract)
    CASE(SLM_MULTIPLY, multiply)
    CASE(SLM_DIVIDE, divide)
    CASE(SLM_MAXIMUM, maximum)
    CASE(SLM_MINIMUM, minimum)
    CASE(SLM_PREFER, prefer)
  }
#undef CASE
}

// x / 2 * (1 + tanh(u)) is x * sigmoid(2u), which does not cancel.
#define SIGMOID(x) ((REAL)1 / ((REAL)1 + F(slm_exp)(-(x))))
#define GELU_TANH(x) \
  ((x) * SIGMOID((REAL)1.5957691216057308 * ((x) + (REAL)0.044715 * (x) * (x) * (x))))
#define GELU(x) \
  ((REAL)0.5 * (x) * ((REAL)1 + F(slm_erf)((x) * (REAL)0.70710678118654752)))

#define EACH_UNARY(DO)                             \
  DO(SLM_EXP, exp, F(slm_exp)(x))                  \
  DO(SLM_LOG, log, F(slm_log)(x))                  \
  DO(SLM_SQUARE_ROOT, square_root, F(slm_sqrt)(x)) \
  DO(SLM_SQUARE, square, x * x)                    \
  DO(SLM_ABSOLUTE, absolute, x < 0 ? -x : x)       \
  DO(SLM_TANH, tanh, F(slm_tanh)(x))               \
  EACH_GATE(DO)
#define EACH_GATE(DO)                    \
  DO(SLM_SIGMOID, sigmoid, SIGMOID(x))   \
  DO(SLM_SILU, silu, x * SIGMOID(x))     \
  DO(SLM_RELU, relu, x > 0 ? x : 0)      \
  DO(SLM_GELU, gelu, GELU(x))            \
  DO(SLM_GELU_TANH, gelu_tanh, GELU_TANH(x))

#define UNARY(OPERATION, FUNCTION, EXPRESSION)                                           \
  SLM_MULTIVERSION static void NAME(FUNCTION##_each)(                                    \
      const UNALIGNED *in, int64_t count, UNALIGNED *out) {                              \
    for (int64_t i = 0; i < count; i++) {                                                \
      REAL x = in[i];                                                                    \
      out[i] = EXPRESSION;                                                               \
    }                                                                                    \
  }
EACH_UNARY(UNARY)
#undef UNARY

#define GATED(OPERATION, FUNCTION, EXPRESSION)                                             \
  SLM_MULTIVERSION static void NAME(FUNCTION##_gated)(                                     \
      const UNALIGNED *gate, const UNALIGNED *up, int64_t count, UNALIGNED *out) {         \
    for (int64_t i = 0; i < count; i++) {                                                  \
      REAL x = gate[i];                                                                    \
      out[i] = (EXPRESSION) * up[i];                                                       \
    }                                                                                      \
  }
EACH_GATE(GATED)
#undef GATED

#define CASE(OPERATION, FUNCTION, EXPRESSION) \
  case OPERATION: NAME(FUNCTION##_each)(x, count, out); break;
void NAME(slm_unary)(int operation, const REAL *x, int64_t count, REAL *out) {
  switch (operation) { EACH_UNARY(CASE) }
}
#undef CASE

#define CASE(OPERATION, FUNCTION, EXPRESSION) \
  case OPERATION: NAME(FUNCTION##_gated)(gate, up, count, out); break;
void NAME(slm_gated)(
    int operation, const REAL *gate, const REAL *up, int64_t count, REAL *out) {
  switch (operation) { EACH_GATE(CASE) }
}
#undef CASE
#undef EACH_UNARY
#undef EACH_GATE
#undef SIGMOID
#undef GELU
#undef GELU_TANH

SLM_MULTIVERSION void NAME(slm_affine)(
    const REAL *x, REAL scale, REAL shift, int64_t count, REAL *out) {
  const UNALIGNED *in = x;
  for (int64_t i = 0; i < count; i++) out[i] = scale * in[i] + shift;
}

SLM_MULTIVERSION void NAME(slm_add_scaled)(REAL scale, const REAL *x, int64_t count, REAL *y) {
  const UNALIGNED *in = x;
  for (int64_t i = 0; i < count; i++) y[i] += scale * in[i];
}

// Sixteen sums in the elements' own type over at most 4096 elements, then in double: rounding
// errors do not grow with the length.
#define SUM(FUNCTION, ARGUMENTS, TERM)                                    \
  SLM_MULTIVERSION double FUNCTION ARGUMENTS {                            \
    double total = 0;                                                     \
    for (int64_t done = 0; done < count; done += 4096) {                  \
      int64_t end = count - done < 4096 ? count : done + 4096, i = done;  \
      REAL lanes[16] = {0};                                               \
      for (; i + 16 <= end; i += 16)                                      \
        for (int j = 0; j < 16; j++) lanes[j] += TERM(i + j);             \
      for (int j = 0; i < end; i++, j++) lanes[j] += TERM(i);             \
      for (int j = 0; j < 16; j++) total += lanes[j];                     \
    }                                                                     \
    return total;                                                         \
  }
#define TERM(i) ((const UNALIGNED *)x)[i]
SUM(NAME(slm_sum), (const REAL *x, int64_t count), TERM)
#undef TERM
#define TERM(i) (((const UNALIGNED *)x)[i] * ((const UNALIGNED *)y)[i])
SUM(NAME(slm_dot), (const REAL *x, const REAL *y, int64_t count), TERM)
#undef TERM
#undef SUM

SLM_MULTIVERSION double NAME(slm_largest)(const REAL *x, int64_t count) {
  const UNALIGNED *in = x;
  REAL lanes[16] = {0}, most = 0;
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int j = 0; j < 16; j++) {
      REAL magnitude = in[i + j] < 0 ? -in[i + j] : in[i + j];
      lanes[j] = magnitude > lanes[j] ? magnitude : lanes[j];
    }
  for (int j = 0; j < 16; j++) most = lanes[j] > most ? lanes[j] : most;
  for (; i < count; i++) {
    REAL magnitude = in[i] < 0 ? -in[i] : in[i];
    most = magnitude > most ? magnitude : most;
  }
  return most;
}
