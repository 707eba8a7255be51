// Sixteen lanes of one REAL and what loops over rows do with them; see each_real.h. Sums run in
// sixteen lanes whatever the CPU's registers.

typedef REAL NAME(vector) __attribute__((ext_vector_type(16)));
typedef REAL NAME(unaligned_vector) __attribute__((ext_vector_type(16), aligned(1)));
#ifndef LOAD
#define VECTOR NAME(vector)
#define LOAD(p) (*(const NAME(unaligned_vector) *)(p))
#endif

SLM_INLINE void NAME(load_tail)(const REAL *p, int64_t count, REAL fill, VECTOR *v) {
  REAL lanes[16];
  for (int i = 0; i < 16; i++) lanes[i] = fill;
  memcpy(lanes, p, (size_t)count * sizeof(REAL));
  memcpy(v, lanes, sizeof lanes);
}

// Sixteen elements from column k, `fill` beyond the last.
SLM_INLINE void NAME(load_row)(
    const REAL *row, int64_t k, int64_t columns, REAL fill, VECTOR *v) {
  if (k + 16 <= columns)
    *v = LOAD(row + k);
  else
    NAME(load_tail)(row + k, columns - k, fill, v);
}

SLM_INLINE REAL NAME(sum_lanes)(const VECTOR *v) {
  REAL lanes[16];
  memcpy(lanes, v, sizeof lanes);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

#ifndef ROW_SUM
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
#endif

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

// The sum of exp(scale * (x - largest)), and its terms in `out` unless that is NULL. In sixteen
// lanes over 256 columns, then in double.
SLM_INLINE double NAME(exponentials)(
    const REAL *x, int64_t columns, REAL largest, REAL scale, REAL *out) {
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
      term = scale * (term - largest);
      EXP16(&term);
      sums += term;
      if (out != NULL) memcpy(out + k, &term, (size_t)n * sizeof(REAL));
    }
    total += NAME(sum_lanes)(&sums);
  }
  return total;
}
