#include <math.h>
#include <string.h>

#include "include/slm_calibration.h"
#include "multiversion.h"

SLM_MULTIVERSION
void slm_add_wide(const float *restrict values, int64_t count, double *restrict sums) {
  for (int64_t i = 0; i < count; i++) sums[i] += (double)values[i];
}

SLM_MULTIVERSION
double slm_triangle_row_dot(
    const double *restrict symmetric, const float *restrict lower, int64_t row) {
  enum { LANES = 16 };
  double lanes[LANES] = {0};
  int64_t j = 0;
  for (; j + LANES <= row; j += LANES)
    for (int k = 0; k < LANES; k++) lanes[k] += symmetric[j + k] * (double)lower[j + k];
  double sum = 0;
  for (int k = 0; k < LANES; k++) sum += lanes[k];
  for (; j < row; j++) sum += symmetric[j] * (double)lower[j];
  return 2 * sum + symmetric[row] * (double)lower[row];
}

SLM_MULTIVERSION
void slm_column_magnitudes(
    const float *restrict values, int64_t rows, int64_t columns, int64_t begin, int64_t end,
    double *restrict sums, float *restrict largest) {
  for (int64_t row = 0; row < rows; row++) {
    const float *x = values + row * columns;
    for (int64_t j = begin; j < end; j++) {
      const float magnitude = fabsf(x[j]);
      sums[j] += (double)magnitude;
      // Written so that what is no number stays.
      largest[j] = largest[j] >= magnitude ? largest[j] : magnitude;
    }
  }
}

SLM_MULTIVERSION
int64_t slm_largest_scaled(
    const float *restrict values, const float *restrict scales, int64_t count,
    float *restrict largest) {
  enum { LANES = 16 };
  float lanes[LANES] = {0};
  int64_t j = 0;
  for (; j + LANES <= count; j += LANES)
    for (int k = 0; k < LANES; k++) {
      const float x = fabsf(values[j + k]) * scales[j + k];
      lanes[k] = lanes[k] >= x ? lanes[k] : x;
    }
  float most = 0;
  for (int k = 0; k < LANES; k++) most = most >= lanes[k] ? most : lanes[k];
  for (; j < count; j++) {
    const float x = fabsf(values[j]) * scales[j];
    most = most >= x ? most : x;
  }
  *largest = most;
  for (j = 0; j < count; j++)
    if (fabsf(values[j]) * scales[j] == most) return j;
  return 0;
}

void slm_magnitude_histogram(const float *values, int64_t count, int64_t *bins) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    bins[(bits & 0x7fffffff) >> 18]++;
  }
}
