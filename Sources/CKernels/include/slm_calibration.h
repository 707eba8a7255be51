#pragma once

#include <stddef.h>
#include <stdint.h>

// Adds `count` numbers to sums in double precision.
void slm_add_wide(const float *values, int64_t count, double *sums);

// What a row of the lower triangle of one symmetric matrix adds to the sum of its products with
// the elements of another: those before the diagonal twice, the diagonal's once.
double slm_triangle_row_dot(const double *symmetric, const float *lower, int64_t row);

// Takes columns begin..<end of `rows` rows of `columns` into running statistics of each column:
// the sums of magnitudes and the largest magnitude. A value that is no number makes both so.
void slm_column_magnitudes(
    const float *values, int64_t rows, int64_t columns, int64_t begin, int64_t end, double *sums,
    float *largest);

// Returns where |values[j]| * scales[j] is largest, the first such place, and writes how large it is
// there. Numbers must be finite.
int64_t slm_largest_scaled(
    const float *values, const float *scales, int64_t count, float *largest);

// The bins of a histogram of magnitudes: 32 for each power of two of normal float32 numbers, so
// that no range has to be known beforehand. Bin b holds magnitudes whose bits, shifted right by
// 18, are b.
#define SLM_MAGNITUDE_BINS 8192

// Counts the magnitudes of `count` values.
void slm_magnitude_histogram(const float *values, int64_t count, int64_t *bins);
