// Included once for each REAL, with NAME(x) giving the function's name and EXP16 the exponential of
// sixteen lanes. Sums run in sixteen lanes whatever the CPU's registers.

typedef REAL NAME(vector) __attribute__((ext_vector_type(16)));
typedef REAL NAME(unaligned_vector) __attribute__((ext_vector_type(16), aligned(1)));
#define VECTOR NAME(vector)
#define LOAD(p) (*(const NAME(unaligned_vector) *)(p))

SLM_INLINE void NAME(load_tail)(const REAL *p, int64_t count, REAL fill, VECTOR *v) {
  REAL lanes[16];
  for (int i = 0; i < 16; i++) lanes[i] = fill;
  memcpy(lanes, p, (size_t)count * sizeof(REAL));
  memcpy(v, lanes, sizeof lanes);
}

SLM_INLINE REAL NAME(sum_lanes)(const VECTOR *v) {
  REAL lanes[16];
  memcpy(lanes, v, sizeof lanes);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

// Sums TERM, an expression of the vector `v`, over a row.
#define ROW_SUM(result, row, TERM)                       \
  do {                                                   \
    VECTOR sums = {}, v;                                 \
    int64_t k = 0;                                       \
    for (; k + 16 <= columns; k += 16) {                 \
      v = LOAD((row) + k);                               \
      sums += TERM;                                      \
    }                                                    \
    if (k < columns) {                                   \
      VECTOR zero = {}, old = sums;                      \
      NAME(load_tail)((row) + k, columns - k, 0, &v);    \
      sums = TERM + zero;                                \
      for (int i = 0; i < 16; i++)                       \
        if (i >= columns - k) sums[i] = 0;               \
      sums += old;                                       \
    }                                                    \
    result = NAME(sum_lanes)(&sums);                     \
  } while (0)

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

SLM_INLINE REAL NAME(row_largest)(const REAL *x, int64_t columns) {
  if (columns < 16) {
    REAL most = x[0];
    for (int64_t k = 1; k < columns; k++) most = x[k] > most ? x[k] : most;
    return most;
  }
  VECTOR largest = LOAD(x);
  for (int64_t k = 16; k + 16 <= columns; k += 16) {
    VECTOR v = LOAD(x + k);
    largest = v > largest ? v : largest;
  }
  VECTOR tail = LOAD(x + columns - 16);
  largest = tail > largest ? tail : largest;
  REAL most = largest[0];
  for (int i = 1; i < 16; i++) most = largest[i] > most ? largest[i] : most;
  return most;
}

// The sum of exp(x - largest), and its terms in `out` unless that is NULL. In sixteen lanes over
// 256 columns, then in double.
SLM_INLINE double NAME(exponentials)(
    const REAL *x, int64_t columns, REAL largest, REAL *out) {
  double total = 0;
  for (int64_t done = 0; done < columns; done += 256) {
    int64_t end = columns - done < 256 ? columns : done + 256;
    VECTOR sums = {};
    for (int64_t k = done; k < end; k += 16) {
      VECTOR term;
      int64_t n = end - k < 16 ? end - k : 16;
      if (n == 16)
        term = LOAD(x + k);
      else
        NAME(load_tail)(x + k, n, -INFINITY, &term);
      term -= largest;
      EXP16(&term);
      sums += term;
      if (out != NULL) memcpy(out + k, &term, (size_t)n * sizeof(REAL));
    }
    total += NAME(sum_lanes)(&sums);
  }
  return total;
}

SLM_MULTIVERSION void NAME(slm_softmax)(
    const REAL *x, int64_t rows, int64_t columns, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns, out += columns) {
    double sum = NAME(exponentials)(x, columns, NAME(row_largest)(x, columns), out);
    REAL inverse = (REAL)(1 / sum);
    for (int64_t k = 0; k < columns; k++) out[k] *= inverse;
  }
}

SLM_MULTIVERSION void NAME(slm_log_sum_exp)(
    const REAL *x, int64_t rows, int64_t columns, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns) {
    REAL largest = NAME(row_largest)(x, columns);
    out[row] = (REAL)((double)largest
                      + __builtin_log(NAME(exponentials)(x, columns, largest, NULL)));
  }
}

SLM_MULTIVERSION void NAME(slm_log_softmax)(
    const REAL *x, int64_t rows, int64_t columns, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns, out += columns) {
    REAL largest = NAME(row_largest)(x, columns);
    REAL rest = (REAL)__builtin_log(NAME(exponentials)(x, columns, largest, NULL));
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

#undef ROW_SUM
#undef VECTOR
#undef LOAD
