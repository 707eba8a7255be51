// Sums and repetition along an axis; see each_real.h.

SLM_MULTIVERSION void NAME(slm_axis_sums)(
    const REAL *x, int64_t count, int64_t inner, int64_t begin, int64_t end, bool accumulate,
    REAL *out) {
  int64_t chunks = (inner + SLM_AXIS_COLUMNS - 1) / SLM_AXIS_COLUMNS;
  for (int64_t unit = begin; unit < end; unit++) {
    int64_t first = unit % chunks * SLM_AXIS_COLUMNS;
    int64_t width = inner - first < SLM_AXIS_COLUMNS ? inner - first : SLM_AXIS_COLUMNS;
    const UNALIGNED *from = x + unit / chunks * count * inner + first;
    REAL *to = out + unit / chunks * inner + first;
    double totals[SLM_AXIS_COLUMNS] = {0};
    for (int64_t done = 0; done < count; done += 32) {
      int64_t stop = count - done < 32 ? count : done + 32;
      REAL sums[SLM_AXIS_COLUMNS] = {0};
      for (int64_t i = done; i < stop; i++)
        for (int64_t k = 0; k < width; k++) sums[k] += from[i * inner + k];
      for (int64_t k = 0; k < width; k++) totals[k] += sums[k];
    }
    if (accumulate)
      for (int64_t k = 0; k < width; k++) to[k] += (REAL)totals[k];
    else
      for (int64_t k = 0; k < width; k++) to[k] = (REAL)totals[k];
  }
}

SLM_MULTIVERSION void NAME(slm_axis_repeat)(
    const REAL *x, int64_t count, int64_t inner, int64_t begin, int64_t end, REAL *out) {
  for (int64_t row = begin; row < end;) {
    int64_t outer = row / count;
    int64_t stop = end < (outer + 1) * count ? end : (outer + 1) * count;
    if (inner == 1) {
      REAL value = x[outer];
      for (; row < stop; row++) out[row] = value;
    } else {
      for (; row < stop; row++)
        memcpy(out + row * inner, x + outer * inner, (size_t)inner * sizeof(REAL));
    }
  }
}

SLM_MULTIVERSION void NAME(slm_add_rows)(
    const REAL *x, int64_t rows, int64_t columns, int64_t step, REAL *out) {
  for (int64_t row = 0; row < rows; row++, x += columns, out += step)
    for (int64_t k = 0; k < columns; k++) out[k] += x[k];
}
