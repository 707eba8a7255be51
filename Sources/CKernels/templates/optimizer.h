// Included once for each REAL, with NAME(x) giving the function's name.

// Steps from a towards b; from the nearer side, so that weights 0 and 1 are exact.
SLM_INLINE REAL NAME(approach)(REAL a, REAL b, REAL weight) {
  return weight < (REAL)0.5 ? a + weight * (b - a) : b - (b - a) * ((REAL)1 - weight);
}

// Loshchilov and Hutter's algorithm 2 in the order of operations of torch.optim.AdamW.
SLM_INLINE void NAME(adamw_elements)(
    slm_adamw settings, const UNALIGNED *gradient, int64_t count, REAL *parameter, REAL *first,
    REAL *second) {
  const REAL keep = (REAL)settings.keep, scale = (REAL)settings.gradient_scale;
  const REAL first_weight = (REAL)settings.first_weight, beta2 = (REAL)settings.beta2;
  const REAL second_weight = (REAL)settings.second_weight, epsilon = (REAL)settings.epsilon;
  const REAL root_correction = (REAL)settings.root_correction, size = (REAL)-settings.step_size;
  for (int64_t i = 0; i < count; i++) {
    const REAL g = gradient[i] * scale;
    const REAL m = NAME(approach)(first[i], g, first_weight);
    const REAL v = second[i] * beta2 + second_weight * g * g;
    first[i] = m;
    second[i] = v;
    parameter[i] = parameter[i] * keep + size * m / (ROOT(v) / root_correction + epsilon);
  }
}

SLM_MULTIVERSION void NAME(slm_adamw)(
    slm_adamw settings, const REAL *gradient, int64_t count, REAL *parameter, REAL *first,
    REAL *second) {
  NAME(adamw_elements)(settings, gradient, count, parameter, first, second);
}

SLM_MULTIVERSION void NAME(slm_lion)(
    slm_lion settings, const REAL *gradient, int64_t count, REAL *parameter, REAL *momentum) {
  const UNALIGNED *in = gradient;
  const REAL keep = (REAL)settings.keep, scale = (REAL)settings.gradient_scale;
  const REAL beta1 = (REAL)settings.beta1, beta2 = (REAL)settings.beta2;
  const REAL new1 = (REAL)(1 - settings.beta1), new2 = (REAL)(1 - settings.beta2);
  const REAL rate = (REAL)settings.rate;
  for (int64_t i = 0; i < count; i++) {
    const REAL g = in[i] * scale, m = momentum[i];
    const REAL direction = m * beta1 + g * new1;
    const REAL step = direction > 0 ? rate : direction < 0 ? -rate : 0;
    parameter[i] = parameter[i] * keep - step;
    momentum[i] = m * beta2 + g * new2;
  }
}

SLM_MULTIVERSION void NAME(slm_sgd)(
    slm_sgd settings, const REAL *gradient, int64_t count, REAL *parameter, REAL *velocity) {
  const UNALIGNED *in = gradient;
  const REAL decay = (REAL)settings.decay, scale = (REAL)settings.gradient_scale;
  const REAL momentum = (REAL)settings.momentum, rate = (REAL)settings.rate;
  if (!velocity) {
    for (int64_t i = 0; i < count; i++)
      parameter[i] -= rate * (in[i] * scale + decay * parameter[i]);
    return;
  }
  const int looks_ahead = settings.nesterov;
  for (int64_t i = 0; i < count; i++) {
    const REAL g = in[i] * scale + decay * parameter[i];
    const REAL u = velocity[i] * momentum + g;
    velocity[i] = u;
    parameter[i] -= rate * (looks_ahead ? g + momentum * u : u);
  }
}

SLM_MULTIVERSION void NAME(slm_approach)(double weight, const REAL *x, int64_t count, REAL *y) {
  const UNALIGNED *in = x;
  const REAL w = (REAL)weight;
  for (int64_t i = 0; i < count; i++) y[i] = NAME(approach)(y[i], in[i], w);
}
