#include "multiversion.h"
#include "product_dots.h"
#include "slm_product.h"

// How many bytes ahead memory is asked for: a strip's blocks are a single stream, of which the
// processor's own prefetching does not ask for enough.
#define AHEAD 4096

// Sixteen outputs are the lanes of a vector: a block is multiplied by one number of x, and nothing
// is summed across lanes. Four sums hide the latency of additions.
#define SLM_STRIP(NAME, SIZE, LOAD)                                                                   \
  SLM_MULTIVERSION static void NAME(                                                            \
      const void *values, const uint16_t *columns, int64_t count, const float *x, float *dots) { \
    const void *const w[1] = {values};                                                          \
    slm_v16 sum[4] = {};                                                                        \
    int64_t b = 0;                                                                              \
    for (; b + 4 <= count; b += 4) {                                                            \
      for (int64_t line = 0; line < 64 * SIZE; line += 64)                                      \
        __builtin_prefetch((const char *)values + 16 * SIZE * b + AHEAD + line);                \
      sum[0] += LOAD(0, 16 * b, 0) * x[columns[b]];                                             \
      sum[1] += LOAD(0, 16 * (b + 1), 0) * x[columns[b + 1]];                                   \
      sum[2] += LOAD(0, 16 * (b + 2), 0) * x[columns[b + 2]];                                   \
      sum[3] += LOAD(0, 16 * (b + 3), 0) * x[columns[b + 3]];                                   \
    }                                                                                           \
    for (; b < count; b++) sum[0] += LOAD(0, 16 * b, 0) * x[columns[b]];                        \
    const slm_v16 all = (sum[0] + sum[1]) + (sum[2] + sum[3]);                                  \
    memcpy(dots, &all, sizeof all);                                                             \
  }

SLM_STRIP(slm_strip_f32, 4, SLM_LOAD_F32)
SLM_STRIP(slm_strip_f16, 2, SLM_LOAD_F16)
SLM_STRIP(slm_strip_bf16, 2, SLM_LOAD_BF16)

void slm_product_strips(
    const struct slm_product *p, const struct slm_strips *strips, const float *x, int64_t x_step,
    int64_t begin, int64_t end) {
  const int64_t size = strips->type == SLM_FLOAT32 ? 4 : 2;
  for (int64_t s = begin; s < end; s++) {
    const int64_t first = strips->begins[s], count = strips->begins[s + 1] - first;
    const void *values = (const char *)strips->values + first * 16 * size;
    const uint16_t *columns = strips->columns + first;
    // The strip stays in the cache for the other rows of x.
    for (int64_t i = 0; i < p->rows; i++) {
      float dots[16];
      if (strips->type == SLM_FLOAT32) {
        slm_strip_f32(values, columns, count, x + i * x_step, dots);
      } else if (strips->type == SLM_FLOAT16) {
        slm_strip_f16(values, columns, count, x + i * x_step, dots);
      } else {
        slm_strip_bf16(values, columns, count, x + i * x_step, dots);
      }
      float *y = p->y + i * p->y_step + 16 * s;
      for (int r = 0; r < 16; r++) y[r] = dots[r] + (p->bias != NULL ? p->bias[16 * s + r] : 0);
    }
  }
}

// A column is looked through from its first row, of which a matrix that is not pruned so has few
// zeros: of such a matrix little more than a sixteenth is read.
#define SLM_STRIP_SCAN(NAME, TYPE)                                                             \
  static int64_t NAME(                                                                         \
      const char *rows, int64_t row_bytes, int64_t columns, uint16_t *found) {                 \
    int64_t count = 0;                                                                         \
    for (int64_t c = 0; c < columns; c++) {                                                    \
      bool is_zero = true;                                                                     \
      for (int r = 0; r < 16 && is_zero; r++) {                                                \
        TYPE bits;                                                                             \
        memcpy(&bits, rows + r * row_bytes + c * (int64_t)sizeof bits, sizeof bits);           \
        is_zero = (TYPE)(bits << 1) == 0;                                                      \
      }                                                                                        \
      found[count] = (uint16_t)c;                                                              \
      count += !is_zero;                                                                       \
    }                                                                                          \
    return count;                                                                              \
  }                                                                                            \
  static void NAME##_values(                                                                   \
      const char *rows, int64_t row_bytes, const uint16_t *found, int64_t count, char *values) { \
    for (int64_t b = 0; b < count; b++)                                                        \
      for (int r = 0; r < 16; r++)                                                             \
        memcpy(                                                                                \
            values + (16 * b + r) * (int64_t)sizeof(TYPE),                                     \
            rows + r * row_bytes + found[b] * (int64_t)sizeof(TYPE), sizeof(TYPE));            \
  }
SLM_STRIP_SCAN(slm_scan_16, uint16_t)
SLM_STRIP_SCAN(slm_scan_32, uint32_t)

int64_t slm_strip_columns(
    const void *rows, int64_t row_bytes, int size, int64_t columns, uint16_t *found) {
  return size == 4 ? slm_scan_32(rows, row_bytes, columns, found)
                   : slm_scan_16(rows, row_bytes, columns, found);
}

void slm_strip_values(
    const void *rows, int64_t row_bytes, int size, const uint16_t *found, int64_t count,
    void *values) {
  if (size == 4) {
    slm_scan_32_values(rows, row_bytes, found, count, values);
  } else {
    slm_scan_16_values(rows, row_bytes, found, count, values);
  }
}
