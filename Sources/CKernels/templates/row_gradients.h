// Backward loops over rows; see each_real.h. A row is read twice: once for its sums, then, from
// the cache, for its gradient.

// out (+)= EXPRESSION of k.
#define EACH_COLUMN(OUT, ACCUMULATE, EXPRESSION)                           \
  if (ACCUMULATE)                                                          \
    for (int64_t k = 0; k < columns; k++) (OUT)[k] += EXPRESSION;          \
  else                                                                     \
    for (int64_t k = 0; k < columns; k++) (OUT)[k] = EXPRESSION

// Sixteen elements of dy times those of weight + shift.
SLM_INLINE void NAME(load_weighted)(
    const REAL *dy, const REAL *weight, REAL shift, int64_t k, int64_t columns, VECTOR *g) {
  NAME(load_row)(dy, k, columns, 0, g);
  if (weight == NULL) return;
  VECTOR w;
  NAME(load_row)(weight, k, columns, 0, &w);
  *g *= w + shift;
}

SLM_MULTIVERSION void NAME(slm_rms_norm_gradient)(
    const REAL *x, const REAL *dy, int64_t rows, int64_t columns, const REAL *weight, REAL shift,
    double epsilon, bool accumulate, REAL *restrict dx, REAL *restrict dweight) {
  if (dweight != NULL) memset(dweight, 0, (size_t)columns * sizeof(REAL));
  for (int64_t row = 0; row < rows; row++, x += columns, dy += columns) {
    VECTOR squares = {}, products = {};
    for (int64_t k = 0; k < columns; k += 16) {
      VECTOR v, g;
      NAME(load_row)(x, k, columns, 0, &v);
      NAME(load_weighted)(dy, weight, shift, k, columns, &g);
      squares += v * v;
      products += g * v;
    }
    double mean = (double)NAME(sum_lanes)(&squares) / (double)columns;
    double root = 1 / __builtin_sqrt(mean + epsilon);
    double share = NAME(sum_lanes)(&products) * root * root * root / (double)columns;
    REAL r = (REAL)root, c = (REAL)share;
    if (dweight != NULL)
      for (int64_t k = 0; k < columns; k++) dweight[k] += r * x[k] * dy[k];
    if (dx == NULL) continue;
    if (weight == NULL) {
      EACH_COLUMN(dx, accumulate, r * dy[k] - c * x[k]);
    } else {
      EACH_COLUMN(dx, accumulate, r * (weight[k] + shift) * dy[k] - c * x[k]);
    }
    dx += columns;
  }
}

SLM_MULTIVERSION void NAME(slm_layer_norm_gradient)(
    const REAL *x, const REAL *dy, int64_t rows, int64_t columns, const REAL *weight,
    double epsilon, bool accumulate, REAL *restrict dx, REAL *restrict dweight,
    REAL *restrict dbias) {
  if (dweight != NULL) memset(dweight, 0, (size_t)columns * sizeof(REAL));
  if (dbias != NULL) memset(dbias, 0, (size_t)columns * sizeof(REAL));
  for (int64_t row = 0; row < rows; row++, x += columns, dy += columns) {
    REAL sum;
    ROW_SUM(sum, x, v);
    REAL mean = sum / (REAL)columns;
    VECTOR squares = {}, gradients = {}, products = {};
    for (int64_t k = 0; k < columns; k += 16) {
      VECTOR v, g;
      NAME(load_row)(x, k, columns, mean, &v);
      NAME(load_weighted)(dy, weight, 0, k, columns, &g);
      v -= mean;
      squares += v * v;
      gradients += g;
      products += g * v;
    }
    double count = (double)columns;
    double root = 1 / __builtin_sqrt(NAME(sum_lanes)(&squares) / count + epsilon);
    REAL r = (REAL)root, c = (REAL)(NAME(sum_lanes)(&products) * root * root * root / count);
    REAL shift = (REAL)(root * NAME(sum_lanes)(&gradients) / count);
    if (dweight != NULL)
      for (int64_t k = 0; k < columns; k++) dweight[k] += r * (x[k] - mean) * dy[k];
    if (dbias != NULL)
      for (int64_t k = 0; k < columns; k++) dbias[k] += dy[k];
    if (dx == NULL) continue;
    EACH_COLUMN(dx, accumulate, r * weight[k] * dy[k] - shift - c * (x[k] - mean));
    dx += columns;
  }
}

SLM_MULTIVERSION void NAME(slm_softmax_gradient)(
    const REAL *y, const REAL *dy, int64_t rows, int64_t columns, REAL *dx) {
  for (int64_t row = 0; row < rows; row++, y += columns, dy += columns, dx += columns) {
    VECTOR products = {};
    for (int64_t k = 0; k < columns; k += 16) {
      VECTOR v, g;
      NAME(load_row)(y, k, columns, 0, &v);
      NAME(load_row)(dy, k, columns, 0, &g);
      products += g * v;
    }
    REAL mean = NAME(sum_lanes)(&products);
    for (int64_t k = 0; k < columns; k++) dx[k] = y[k] * (dy[k] - mean);
  }
}

SLM_MULTIVERSION void NAME(slm_log_softmax_gradient)(
    const REAL *y, const REAL *dy, int64_t rows, int64_t columns, REAL *dx) {
  for (int64_t row = 0; row < rows; row++, y += columns, dy += columns, dx += columns) {
    REAL sum;
    ROW_SUM(sum, dy, v);
    for (int64_t k = 0; k < columns; k++) dx[k] = dy[k] - sum * F(slm_exp)(y[k]);
  }
}

SLM_MULTIVERSION void NAME(slm_log_sum_exp_gradient)(
    const REAL *x, const REAL *y, const REAL *dy, int64_t rows, int64_t columns, REAL *dx) {
  for (int64_t row = 0; row < rows; row++, x += columns, dx += columns) {
    REAL logarithm = y[row], factor = dy[row];
    for (int64_t k = 0; k < columns; k++) dx[k] = factor * F(slm_exp)(x[k] - logarithm);
  }
}
#undef EACH_COLUMN
