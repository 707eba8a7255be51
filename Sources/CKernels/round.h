#pragma once

#include "blocks_round.h"
#include "include/slm_round.h"

// Sums over a group that the search for its scale needs, sixteen lanes wide.

SLM_INLINE float slm_lanes_sum(slm_f32x16 v) {
  const slm_f32x8 eight = v.lo + v.hi;
  const slm_f32x4 four = eight.lo + eight.hi;
  return (four.x + four.z) + (four.y + four.w);
}

// Rounds to the nearest integer, ties to even, for magnitudes below 2^22.
#define SLM_ROUND_MAGIC 12582912.0f
#define SLM_ROUNDED(x) (((x) + SLM_ROUND_MAGIC) - SLM_ROUND_MAGIC)

#define SLM_CLAMPED(x, low, high) SLM_LESSER(SLM_GREATER((x), (low)), (high))

// The next sixteen values of a group; past its end, `filler`.
SLM_INLINE slm_f32x16 slm_next(const float *values, int64_t i, int64_t count, float filler) {
  if (i + 16 <= count) return slm_load_f32(values + i);
  slm_f32x16 vector = filler;
  float lanes[16];
  memcpy(lanes, &vector, sizeof lanes);
  memcpy(lanes, values + i, (size_t)(count - i) * sizeof(float));
  memcpy(&vector, lanes, sizeof vector);
  return vector;
}

SLM_INLINE void slm_group_range(
    const float *values, int64_t count, float *least, float *greatest) {
  slm_f32x16 low = values[0], high = values[0];
  for (int64_t i = 0; i < count; i += 16) {
    const slm_f32x16 x = slm_next(values, i, count, values[0]);
    low = SLM_LESSER(x, low);
    high = SLM_GREATER(x, high);
  }
  *least = slm_least(low);
  *greatest = slm_greatest(high);
}

// The weights of the next sixteen values; 1 where none are given, 0 past the end.
SLM_INLINE slm_f32x16 slm_next_weights(const float *weights, int64_t i, int64_t count) {
  const slm_f32x16 one = 1;
  return weights ? slm_next(weights, i, count, 0) : one;
}

// What codes q of the values x give: the weighted sums of x * q and of q * q.
typedef struct { float xq, qq; } slm_fit;

// The part of the sum of x^2 that the best scale for the codes explains.
SLM_INLINE float slm_gain(slm_fit fit) { return fit.qq > 0 ? fit.xq * fit.xq / fit.qq : 0; }

// The fit of codes round(x * inverse), clamped to low...high. Zeros past the end add nothing.
SLM_INLINE slm_fit slm_fit_codes(
    const float *values, const float *weights, int64_t count, float inverse, float low,
    float high) {
  slm_f32x16 xq = 0, qq = 0;
  const slm_f32x16 bottom = low, top = high;
  for (int64_t i = 0; i < count; i += 16) {
    const slm_f32x16 x = slm_next(values, i, count, 0);
    const slm_f32x16 q = SLM_ROUNDED(SLM_CLAMPED(x * inverse, bottom, top));
    const slm_f32x16 wq = slm_next_weights(weights, i, count) * q;
    xq += x * wq;
    qq += q * wq;
  }
  return (slm_fit){slm_lanes_sum(xq), slm_lanes_sum(qq)};
}

// The fits of the same codes clamped to -extent...extent - 1 and to 1 - extent...extent.
SLM_INLINE void slm_fit_both_signs(
    const float *values, const float *weights, int64_t count, float inverse, float extent,
    slm_fit *plus, slm_fit *minus) {
  slm_f32x16 xq = 0, qq = 0, xp = 0, pp = 0;
  const slm_f32x16 inner = extent - 1, outer = extent;
  for (int64_t i = 0; i < count; i += 16) {
    const slm_f32x16 x = slm_next(values, i, count, 0);
    const slm_f32x16 code = SLM_ROUNDED(SLM_CLAMPED(x * inverse, -outer, outer));
    const slm_f32x16 q = SLM_LESSER(code, inner), p = SLM_GREATER(code, -inner);
    const slm_f32x16 w = slm_next_weights(weights, i, count), wx = w * x;
    xq += wx * q;
    qq += w * q * q;
    xp += wx * p;
    pp += w * p * p;
  }
  *plus = (slm_fit){slm_lanes_sum(xq), slm_lanes_sum(qq)};
  *minus = (slm_fit){slm_lanes_sum(xp), slm_lanes_sum(pp)};
}

// The line x = scale * code + offset through codes: its coefficients and the part of the sum of
// squared distances from the mean that it explains.
typedef struct { float scale, offset, gain; } slm_line;

// The line through codes round((x - offset) * inverse), clamped to 0...top. `mean` is that of x,
// weighted, and `total` the sum of weights. Where no weights are given, the filler's codes are
// removed by taking x - mean = 0.
SLM_INLINE slm_line slm_fit_line(
    const float *values, const float *weights, int64_t count, float mean, float total,
    float inverse, float offset, float top) {
  slm_f32x16 xc = 0, c1 = 0, cc = 0;
  const slm_f32x16 zero = 0, greatest = top;
  int64_t filled = 0;
  for (int64_t i = 0; i < count; i += 16, filled += 16) {
    const slm_f32x16 x = slm_next(values, i, count, mean);
    const slm_f32x16 c = SLM_ROUNDED(SLM_CLAMPED((x - offset) * inverse, zero, greatest));
    const slm_f32x16 w = slm_next_weights(weights, i, count), wc = w * c;
    xc += (x - mean) * wc;
    c1 += wc;
    cc += c * wc;
  }
  const float filler = SLM_ROUNDED(SLM_CLAMPED((mean - offset) * inverse, 0.0f, top));
  const float extra = weights ? 0 : (float)(filled - count);
  const float sum = slm_lanes_sum(c1) - extra * filler;
  const float squares = slm_lanes_sum(cc) - extra * filler * filler;
  const float covariance = slm_lanes_sum(xc), average = sum / total;
  const float variance = squares - sum * average;
  if (!(variance > 0)) return (slm_line){0, mean, 0};
  const float scale = covariance / variance;
  return (slm_line){scale, mean - scale * average, covariance * scale};
}
