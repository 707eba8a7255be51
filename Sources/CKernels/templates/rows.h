// Loops over rows; see each_real.h.

SLM_MULTIVERSION void NAME(slm_rms_norm)(
    const REAL *x, int64_t rows, int64_t columns, const REAL *weight, REAL shift, double epsilon,
    REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns, out += columns) {
    REAL squares;
    ROW_SUM(squares, x, v * v);
    REAL r = (REAL)(1 / __builtin_sqrt((double)squares / (double)columns + epsilon));
    if (weight == NULL)
      for (int64_t k = 0; k < columns; k++) out[k] = r * x[k];
    else if (shift == 0)
      for (int64_t k = 0; k < columns; k++) out[k] = r * x[k] * weight[k];
    else
      for (int64_t k = 0; k < columns; k++) out[k] = r * x[k] * (weight[k] + shift);
  }
}

SLM_MULTIVERSION void NAME(slm_layer_norm)(
    const REAL *x, int64_t rows, int64_t columns, const REAL *weight, const REAL *bias,
    double epsilon, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns, out += columns) {
    REAL sum, squares;
    ROW_SUM(sum, x, v);
    REAL mean = sum / (REAL)columns;
    ROW_SUM(squares, x, (v - mean) * (v - mean));
    REAL r = (REAL)(1 / __builtin_sqrt((double)squares / (double)columns + epsilon));
    if (bias == NULL)
      for (int64_t k = 0; k < columns; k++) out[k] = (x[k] - mean) * r * weight[k];
    else
      for (int64_t k = 0; k < columns; k++) out[k] = (x[k] - mean) * r * weight[k] + bias[k];
  }
}

SLM_MULTIVERSION void NAME(slm_softmax)(
    const REAL *x, int64_t rows, int64_t columns, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns, out += columns) {
    double sum = NAME(exponentials)(x, columns, NAME(row_largest)(x, columns), 1, out);
    REAL inverse = (REAL)(1 / sum);
    for (int64_t k = 0; k < columns; k++) out[k] *= inverse;
  }
}

SLM_MULTIVERSION void NAME(slm_log_sum_exp)(
    const REAL *x, int64_t rows, int64_t columns, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns) {
    REAL largest = NAME(row_largest)(x, columns);
    out[row] = (REAL)((double)largest
                      + __builtin_log(NAME(exponentials)(x, columns, largest, 1, NULL)));
  }
}

SLM_MULTIVERSION void NAME(slm_log_softmax)(
    const REAL *x, int64_t rows, int64_t columns, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns, out += columns) {
    REAL largest = NAME(row_largest)(x, columns);
    REAL rest = (REAL)__builtin_log(NAME(exponentials)(x, columns, largest, 1, NULL));
    for (int64_t k = 0; k < columns; k++) out[k] = (x[k] - largest) - rest;
  }
}

SLM_MULTIVERSION void NAME(slm_largest_column)(
    const REAL *x, int64_t rows, int64_t columns, int32_t *out) {
  for (int64_t row = 0; row < rows; row++, x += columns) {
    REAL largest = NAME(row_largest)(x, columns);
    int64_t k = 0;
    for (; k + 16 <= columns; k += 16) {
      int found = 0;
      for (int i = 0; i < 16; i++) found |= x[k + i] == largest;
      if (found) break;
    }
    while (k < columns - 1 && !(x[k] == largest)) k++;
    out[row] = (int32_t)k;
  }
}

SLM_MULTIVERSION void NAME(slm_row_sums)(
    const REAL *x, int64_t rows, int64_t columns, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns) ROW_SUM(out[row], x, v);
}

SLM_MULTIVERSION void NAME(slm_column_sums)(
    const REAL *x, int64_t rows, int64_t columns, int64_t step, int squared, double *out) {
  for (int64_t row = 0; row < rows; row++, x += step) {
    if (squared)
      for (int64_t k = 0; k < columns; k++) out[k] += (double)x[k] * (double)x[k];
    else
      for (int64_t k = 0; k < columns; k++) out[k] += x[k];
  }
}

SLM_MULTIVERSION void NAME(slm_rotary)(
    const REAL *x, int64_t tokens, int64_t heads, int64_t channels, int64_t rotated,
    const REAL *cosines, const REAL *sines, REAL direction, REAL *out) {
  int64_t half = rotated / 2;
  for (int64_t token = 0; token < tokens; token++, cosines += half, sines += half)
    for (int64_t head = 0; head < heads; head++, x += channels, out += channels) {
      for (int64_t j = 0; j < half; j++) {
        REAL a = x[j], b = x[half + j], sine = direction * sines[j];
        out[j] = a * cosines[j] - b * sine;
        out[half + j] = b * cosines[j] + a * sine;
      }
      if (out != x)
        memcpy(out + rotated, x + rotated, (size_t)(channels - rotated) * sizeof(REAL));
    }
}

SLM_MULTIVERSION void NAME(slm_transpose)(
    const REAL *x, int64_t rows, int64_t columns, int64_t begin, int64_t end, REAL *out) {
  // Tiles of 16 by 16: a cache line of either side is used whole before it is dropped.
  for (int64_t c = begin; c < end; c += 16)
    for (int64_t r = 0; r < rows; r += 16) {
      int64_t stop = end - c < 16 ? end : c + 16, last = rows - r < 16 ? rows : r + 16;
      for (int64_t i = c; i < stop; i++)
        for (int64_t j = r; j < last; j++) out[i * rows + j] = x[j * columns + i];
    }
}
