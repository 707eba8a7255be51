#pragma once

#include <stddef.h>
#include <stdint.h>

// Types of stored numbers.
enum slm_type {
  SLM_FLOAT64,
  SLM_FLOAT32,
  SLM_FLOAT16,
  SLM_BFLOAT16,
  SLM_FLOAT8_E4M3,
  SLM_FLOAT8_E5M2,
  SLM_INT64,
  SLM_INT32,
  SLM_INT16,
  SLM_INT8,
  SLM_UINT64,
  SLM_UINT32,
  SLM_UINT16,
  SLM_UINT8,
  SLM_BOOL,
};

// Writes `count` elements of another type. Neither side need be aligned.
//
// To a floating type: rounds once, to the nearest, ties to even; NaN stays NaN; what is too large
// becomes infinity, or 448 in E4M3, which has no infinity. To an integer type: drops the fraction,
// and what lies outside becomes the nearest value, NaN becomes 0. To bool: whether it is not 0.
void slm_convert(int from, const void *source, int to, void *target, int64_t count);

// The same to float32, fastest from floating types of at most 32 bits and from int8.
void slm_widen(int from, const void *source, int64_t count, float *target);
