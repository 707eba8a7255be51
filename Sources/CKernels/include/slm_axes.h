#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Loops over tensors seen as [outer, count, inner], the axis in the middle going away or coming.

// Columns of the inner axis that a unit of slm_axis_sums takes.
#define SLM_AXIS_COLUMNS 128

#define SLM_AXES(REAL, SUFFIX)                                                                  \
  /* out [outer, inner] (+)= sum over the middle axis of x. Units are numbered by outer index   \
     and then by SLM_AXIS_COLUMNS of the inner axis; computes units begin..<end. Sums run over  \
     32 elements in the elements' own type, then in double. */                                  \
  void slm_axis_sums_##SUFFIX(                                                                  \
      const REAL *x, int64_t count, int64_t inner, int64_t begin, int64_t end,                  \
      bool accumulate, REAL *out);                                                              \
  /* out [outer, count, inner] = x [outer, inner] for each of the middle axis; rows             \
     begin..<end of the outer * count rows of out. */                                           \
  void slm_axis_repeat_##SUFFIX(                                                                \
      const REAL *x, int64_t count, int64_t inner, int64_t begin, int64_t end, REAL *out);      \
  /* out[row * step + column] += x[row * columns + column]. */                                  \
  void slm_add_rows_##SUFFIX(                                                                   \
      const REAL *x, int64_t rows, int64_t columns, int64_t step, REAL *out);

SLM_AXES(float, f32)
SLM_AXES(double, f64)
#undef SLM_AXES
