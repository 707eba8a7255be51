// Losses of rows of logits, and the similarity of rows; see each_real.h.

SLM_INLINE double NAME(log_sum)(const REAL *x, int64_t columns, REAL scale) {
  REAL largest = NAME(row_largest)(x, columns);
  double sum = NAME(exponentials)(x, columns, largest, scale, NULL);
  return (double)scale * (double)largest + __builtin_log(sum);
}

SLM_MULTIVERSION void NAME(slm_cross_entropy)(
    const REAL *x, const int32_t *targets, int64_t rows, int64_t columns, double smoothing,
    double *log_sums, double *losses) {
  for (int64_t row = 0; row < rows; row++, x += columns) {
    log_sums[row] = losses[row] = 0;
    if (targets[row] < 0) continue;
    double likely = (1 - smoothing) * (double)x[targets[row]];
    if (smoothing > 0) {
      REAL sum;
      ROW_SUM(sum, x, v);
      likely += smoothing * (double)sum / (double)columns;
    }
    log_sums[row] = NAME(log_sum)(x, columns, 1);
    losses[row] = log_sums[row] - likely;
  }
}

SLM_MULTIVERSION void NAME(slm_cross_entropy_gradient)(
    const REAL *x, const int32_t *targets, int64_t rows, int64_t columns, double smoothing,
    const double *log_sums, const double *factors, REAL *dx) {
  for (int64_t row = 0; row < rows; row++, x += columns, dx += columns) {
    REAL factor = (REAL)factors[row];
    if (targets[row] < 0 || factor == 0) {
      memset(dx, 0, (size_t)columns * sizeof(REAL));
      continue;
    }
    // In two parts: the logarithm rounded to REAL would cost digits of the probabilities.
    REAL large = (REAL)log_sums[row], small = (REAL)(log_sums[row] - (double)large);
    REAL everywhere = (REAL)(smoothing / (double)columns);
    for (int64_t k = 0; k < columns; k++)
      dx[k] = factor * (F(slm_exp)((x[k] - large) - small) - everywhere);
    dx[targets[row]] -= factor * (REAL)(1 - smoothing);
  }
}

SLM_MULTIVERSION void NAME(slm_divergence)(
    const REAL *x, const REAL *reference, int64_t rows, int64_t columns, double scale,
    double *log_sums, double *losses) {
  for (int64_t row = 0; row < rows; row++, x += columns, reference += columns) {
    double mine = NAME(log_sum)(x, columns, (REAL)scale);
    double other = NAME(log_sum)(reference, columns, (REAL)scale);
    log_sums[2 * row] = mine;
    log_sums[2 * row + 1] = other;
    REAL large = (REAL)other, small = (REAL)(other - (double)large), s = (REAL)scale;
    double total = 0;
    for (int64_t done = 0; done < columns; done += 256) {
      int64_t end = columns - done < 256 ? columns : done + 256;
      REAL terms[256] = {0};
      for (int64_t k = done; k < end; k++) {
        REAL p = F(slm_exp)((s * reference[k] - large) - small);
        REAL term = p * (s * (reference[k] - x[k]));
        // What the reference excludes does not count, even where the logits exclude it too.
        terms[k - done] = p != 0 ? term : 0;
      }
      REAL sums[16] = {0};
      for (int64_t k = 0; k < end - done; k += 16)
        for (int64_t i = 0; i < 16; i++) sums[i] += terms[k + i];
      for (int i = 0; i < 16; i++) total += (double)sums[i];
    }
    losses[row] = total - other + mine;
  }
}

SLM_MULTIVERSION void NAME(slm_divergence_gradient)(
    const REAL *x, const REAL *reference, int64_t rows, int64_t columns, double scale,
    const double *log_sums, const double *factors, REAL *dx) {
  REAL s = (REAL)scale;
  for (int64_t row = 0; row < rows; row++) {
    REAL factor = (REAL)factors[row];
    REAL large = (REAL)log_sums[2 * row], small = (REAL)(log_sums[2 * row] - (double)large);
    REAL other = (REAL)log_sums[2 * row + 1];
    REAL rest = (REAL)(log_sums[2 * row + 1] - (double)other);
    for (int64_t k = 0; k < columns; k++) {
      REAL q = F(slm_exp)((s * x[k] - large) - small);
      REAL p = F(slm_exp)((s * reference[k] - other) - rest);
      dx[k] = factor * (q - p);
    }
    x += columns;
    reference += columns;
    dx += columns;
  }
}

// <x, y>, <x, x> and <y, y>.
SLM_INLINE void NAME(row_products)(
    const REAL *x, const REAL *y, int64_t columns, double products[3]) {
  VECTOR xy = {}, xx = {}, yy = {};
  for (int64_t k = 0; k < columns; k += 16) {
    VECTOR a, b;
    NAME(load_row)(x, k, columns, 0, &a);
    NAME(load_row)(y, k, columns, 0, &b);
    xy += a * b;
    xx += a * a;
    yy += b * b;
  }
  products[0] = (double)NAME(sum_lanes)(&xy);
  products[1] = (double)NAME(sum_lanes)(&xx);
  products[2] = (double)NAME(sum_lanes)(&yy);
}

SLM_MULTIVERSION void NAME(slm_cosine)(
    const REAL *x, const REAL *y, int64_t rows, int64_t columns, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns, y += columns) {
    double products[3];
    NAME(row_products)(x, y, columns, products);
    double lengths = __builtin_sqrt(products[1]) * __builtin_sqrt(products[2]);
    out[row] = lengths > 0 ? (REAL)(products[0] / lengths) : 0;
  }
}

SLM_MULTIVERSION void NAME(slm_cosine_gradient)(
    const REAL *x, const REAL *y, const REAL *factors, int64_t rows, int64_t columns, REAL *dx) {
  for (int64_t row = 0; row < rows; row++, x += columns, y += columns, dx += columns) {
    double products[3];
    NAME(row_products)(x, y, columns, products);
    double lengths = __builtin_sqrt(products[1]) * __builtin_sqrt(products[2]);
    double factor = lengths > 0 ? (double)factors[row] / lengths : 0;
    REAL along = (REAL)factor, back = lengths > 0 ? (REAL)(factor * products[0] / products[1]) : 0;
    for (int64_t k = 0; k < columns; k++) dx[k] = along * y[k] - back * x[k];
  }
}
