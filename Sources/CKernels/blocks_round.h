#pragma once

#include "blocks.h"

// Thirty-two floats to one block, per format, by ggml's reference rule.
//
// The rule is defined by a loop over the values in order. Taken 16 at a time it gives the same
// result but for one case: where a positive and a negative zero, or a value and its negative,
// are both extreme, the first of them decides, and is searched for.

SLM_INLINE slm_f32x16 slm_load_f32(const float *values) {
  slm_f32x16 vector;
  memcpy(&vector, values, sizeof vector);
  return vector;
}

// NaN in `a` is ignored, as the reference's comparisons ignore it.
#define SLM_GREATER(a, b) ((a) > (b) ? (a) : (b))
#define SLM_LESSER(a, b) ((a) < (b) ? (a) : (b))

typedef float slm_f32x8 __attribute__((ext_vector_type(8)));
typedef float slm_f32x4 __attribute__((ext_vector_type(4)));

SLM_INLINE float slm_greatest(slm_f32x16 v) {
  const slm_f32x8 eight = SLM_GREATER(v.hi, v.lo);
  const slm_f32x4 four = SLM_GREATER(eight.hi, eight.lo);
  const float a = SLM_GREATER(four.x, four.y), b = SLM_GREATER(four.z, four.w);
  return SLM_GREATER(a, b);
}

SLM_INLINE float slm_least(slm_f32x16 v) {
  const slm_f32x8 eight = SLM_LESSER(v.hi, v.lo);
  const slm_f32x4 four = SLM_LESSER(eight.hi, eight.lo);
  const float a = SLM_LESSER(four.x, four.y), b = SLM_LESSER(four.z, four.w);
  return SLM_LESSER(a, b);
}

// The value of largest magnitude with its sign, the first if several; 0 if all are zero.
SLM_INLINE float slm_extreme(const float *values) {
  const slm_f32x16 a = slm_load_f32(values), b = slm_load_f32(values + 16);
  const float greatest = slm_greatest(SLM_GREATER(a, b));
  const float least = slm_least(SLM_LESSER(a, b));
  if (greatest == -least) {
    for (int j = 0; j < 32 && greatest > 0; j++) {
      if (values[j] == greatest || values[j] == least) return values[j];
    }
    return 0;
  }
  return greatest > -least ? greatest : least;
}

// The least and greatest value; of several zeros the first one's sign.
SLM_INLINE void slm_range(const float *values, float *least, float *greatest) {
  const slm_f32x16 a = slm_load_f32(values), b = slm_load_f32(values + 16);
  *greatest = slm_greatest(SLM_GREATER(a, b));
  *least = slm_least(SLM_LESSER(a, b));
  if (*least != 0) return;
  for (int j = 0; j < 32; j++) {
    if (values[j] == 0) {
      *least = values[j];
      if (*greatest == 0) *greatest = *least;
      return;
    }
  }
}

// Truncates values meant to be codes from 0 to `top`. A scale too small to be inverted makes
// them infinite or NaN, of which the reference makes code 0; so does this, where C leaves the
// conversion undefined.
SLM_INLINE slm_u8x16 slm_codes(slm_f32x16 values, float top) {
  const slm_f32x16 zero = 0, greatest = top;
  const slm_f32x16 finite = values > 0.0f && values < 128.0f ? values : zero;
  const slm_i32x16 integers =
      __builtin_convertvector(SLM_LESSER(finite, greatest), slm_i32x16);
  return __builtin_convertvector(integers, slm_u8x16);
}

SLM_INLINE void slm_store(slm_u8x16 vector, uint8_t *bytes) {
  memcpy(bytes, &vector, sizeof vector);
}

// The bits above the low four of 16 codes below 32, the first code's lowest.
SLM_INLINE void slm_store_fifth_bits(slm_u8x16 codes, uint8_t *two) {
  typedef _Bool slm_bits __attribute__((ext_vector_type(16)));
  const slm_bits bits = __builtin_convertvector(codes >> (uint8_t)4, slm_bits);
  memcpy(two, &bits, 2);
}

SLM_INLINE float slm_inverse(float scale) { return scale != 0 ? 1.0f / scale : 0.0f; }

// scale · (codes − middle), the extreme value at code 0.
SLM_INLINE void slm_round_symmetric(
    const float *values, float top, slm_u8x16 *low, slm_u8x16 *high, uint8_t *d) {
  const float middle = (top + 1) / 2;
  const float scale = slm_extreme(values) / -middle;
  const float inverse = slm_inverse(scale), shift = middle + 0.5f;
  slm_f32x16 a = slm_load_f32(values), b = slm_load_f32(values + 16);
  a = a * inverse;
  b = b * inverse;
  *low = slm_codes(a + shift, top);
  *high = slm_codes(b + shift, top);
  slm_float_to_half(scale, d);
}

// scale · codes + least
SLM_INLINE void slm_round_asymmetric(
    const float *values, float top, slm_u8x16 *low, slm_u8x16 *high, uint8_t *d, uint8_t *m) {
  float least, greatest;
  slm_range(values, &least, &greatest);
  const float scale = (greatest - least) / top;
  const float inverse = slm_inverse(scale);
  slm_f32x16 a = slm_load_f32(values) - least, b = slm_load_f32(values + 16) - least;
  a = a * inverse;
  b = b * inverse;
  *low = slm_codes(a + 0.5f, top);
  *high = slm_codes(b + 0.5f, top);
  slm_float_to_half(scale, d);
  slm_float_to_half(least, m);
}

SLM_INLINE void slm_round_q4_0(const float *values, slm_q4_0 *block) {
  slm_u8x16 low, high;
  slm_round_symmetric(values, 15, &low, &high, block->d);
  slm_store(low | high << (uint8_t)4, block->q);
}

SLM_INLINE void slm_round_q4_1(const float *values, slm_q4_1 *block) {
  slm_u8x16 low, high;
  slm_round_asymmetric(values, 15, &low, &high, block->d, block->m);
  slm_store(low | high << (uint8_t)4, block->q);
}

SLM_INLINE void slm_round_q5_0(const float *values, slm_q5_0 *block) {
  slm_u8x16 low, high;
  slm_round_symmetric(values, 31, &low, &high, block->d);
  slm_store((low & (uint8_t)15) | high << (uint8_t)4, block->q);
  slm_store_fifth_bits(low, block->high);
  slm_store_fifth_bits(high, block->high + 2);
}

SLM_INLINE void slm_round_q5_1(const float *values, slm_q5_1 *block) {
  slm_u8x16 low, high;
  slm_round_asymmetric(values, 31, &low, &high, block->d, block->m);
  slm_store((low & (uint8_t)15) | high << (uint8_t)4, block->q);
  slm_store_fifth_bits(low, block->high);
  slm_store_fifth_bits(high, block->high + 2);
}

// Rounds halves away from zero. Adding a half itself would carry 0.49999997 to 1.
SLM_INLINE slm_u8x16 slm_nearest(slm_f32x16 values) {
  const slm_f32x16 zero = 0, half = 0x1.fffffep-2f;
  const slm_f32x16 finite = values > -128.0f && values < 128.0f ? values : zero;
  const slm_f32x16 moved = finite < 0.0f ? finite - half : finite + half;
  const slm_i32x16 integers = __builtin_convertvector(moved, slm_i32x16);
  return (slm_u8x16)__builtin_convertvector(integers, slm_i8x16);
}

SLM_INLINE void slm_round_q8_0(const float *values, slm_q8_0 *block) {
  const slm_f32x16 a = slm_load_f32(values), b = slm_load_f32(values + 16);
  const float greatest = slm_greatest(SLM_GREATER(a, b));
  const float least = slm_least(SLM_LESSER(a, b));
  const float scale = __builtin_fabsf(SLM_GREATER(greatest, -least)) / 127;
  const float inverse = slm_inverse(scale);
  slm_store(slm_nearest(a * inverse), block->q);
  slm_store(slm_nearest(b * inverse), block->q + 16);
  slm_float_to_half(scale, block->d);
}
