#pragma once

#include "blocks_widen.h"

// Searches for the scales of sub-blocks that leave the least weighted squared error, with the
// candidates, the order of operations and the ties of ggml, so that every bit is the same.
//
// Eight sub-blocks are searched at a time, one in each lane of a vector: `x[i]` holds value `i` of
// each of them and `w[i]` its weight. Where ggml branches, lanes are selected.

typedef float slm_f32x8 __attribute__((ext_vector_type(8)));
typedef int32_t slm_i32x8 __attribute__((ext_vector_type(8)));

enum { SLM_LANES = 8, SLM_LONGEST = 32 };

// A magnitude below which ggml takes all values of a sub-block for zero.
static const float slm_vanishing = 1e-15f;

SLM_INLINE slm_f32x8 slm_all(float value) { return (slm_f32x8)value; }
SLM_INLINE slm_i32x8 slm_all_int(int value) { return (slm_i32x8)value; }
SLM_INLINE slm_f32x8 slm_to_float(slm_i32x8 v) { return __builtin_convertvector(v, slm_f32x8); }
SLM_INLINE int slm_any(slm_i32x8 mask) {
  return __builtin_reduce_or(mask) != 0;
}

// The nearest integer, ties to even, read off a float's mantissa; what ggml makes of numbers
// beyond 2^22, of infinities and of NaN, follows from that.
SLM_INLINE int slm_nearest_integer(float value) {
  return (int)(slm_float_to_bits(value + 0x1.8p23f) & 0x7fffff) - 0x400000;
}

SLM_INLINE slm_i32x8 slm_nearest_integers(slm_f32x8 values) {
  const slm_f32x8 moved = values + 0x1.8p23f;
  return ((slm_i32x8)moved & 0x7fffff) - 0x400000;
}

SLM_INLINE slm_i32x8 slm_clamped(slm_i32x8 values, int least, int greatest) {
  return __builtin_elementwise_max(
      __builtin_elementwise_min(values, slm_all_int(greatest)), slm_all_int(least));
}

// In each lane the value of largest magnitude with its sign, the first if there are several.
SLM_INLINE slm_f32x8 slm_extremes(const slm_f32x8 *x, int n, slm_f32x8 *magnitude) {
  slm_f32x8 extreme = 0.0f, greatest = 0.0f;
  for (int i = 0; i < n; i++) {
    const slm_f32x8 size = __builtin_elementwise_abs(x[i]);
    const slm_i32x8 exceeds = size > greatest;
    greatest = exceeds ? size : greatest;
    extreme = exceeds ? x[i] : extreme;
  }
  *magnitude = greatest;
  return extreme;
}

// The tries of a search for a scale and a minimum: the codes' range is stretched from `top` to
// `top + first + step · t` for t from 0 to `last`.
typedef struct { float first, step; int last, absolute; } slm_tries;

// Finds x ≈ scale · code − minimum with codes from 0 to `top` and a minimum from 0. Returns the
// scales. The measure is the weighted error's square or, if `absolute`, its magnitude. After a
// try that improves, later ones start from its minimum.
SLM_INLINE slm_f32x8 slm_search_affine(
    const slm_f32x8 *x, const slm_f32x8 *w, int n, int top, slm_tries tries, slm_i32x8 *codes,
    slm_f32x8 *minimum) {
  const slm_f32x8 zero = 0.0f;
  slm_f32x8 least = x[0], greatest = x[0], sum_w = w[0], sum_x = w[0] * x[0];
  for (int i = 1; i < n; i++) {
    least = x[i] < least ? x[i] : least;
    greatest = x[i] > greatest ? x[i] : greatest;
    sum_w = sum_w + w[i];
    sum_x = sum_x + w[i] * x[i];
  }
  least = least > zero ? zero : least;
  const slm_f32x8 flat_least = least;
  const slm_i32x8 flat = greatest <= least;

  const slm_f32x8 inverse = slm_all((float)top) / (greatest - least);
  slm_f32x8 scale = slm_all(1.0f) / inverse, best = 0.0f;
  for (int i = 0; i < n; i++) {
    codes[i] = slm_clamped(slm_nearest_integers(inverse * (x[i] - least)), 0, top);
    const slm_f32x8 error = scale * slm_to_float(codes[i]) + least - x[i];
    best = best + w[i] * (tries.absolute ? __builtin_elementwise_abs(error) : error * error);
  }
  slm_i32x8 trial[SLM_LONGEST];
  for (int t = 0; t <= tries.last; t++) {
    const float stretched = tries.first + tries.step * (float)t + (float)top;
    const slm_f32x8 factor = slm_all(stretched) / (greatest - least);
    slm_f32x8 sum_l = 0.0f, sum_ll = 0.0f, sum_xl = 0.0f;
    for (int i = 0; i < n; i++) {
      trial[i] = slm_clamped(slm_nearest_integers(factor * (x[i] - least)), 0, top);
      const slm_f32x8 l = slm_to_float(trial[i]), weighted = w[i] * l;
      sum_l = sum_l + weighted;
      sum_ll = sum_ll + weighted * l;
      sum_xl = sum_xl + weighted * x[i];
    }
    // The least-squares line, through the origin if its minimum would have the wrong sign.
    const slm_f32x8 determinant = sum_w * sum_ll - sum_l * sum_l;
    slm_f32x8 new_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
    slm_f32x8 new_least = (sum_ll * sum_x - sum_l * sum_xl) / determinant;
    const slm_i32x8 positive = new_least > zero;
    new_least = positive ? zero : new_least;
    new_scale = positive ? sum_xl / sum_ll : new_scale;
    slm_f32x8 total = 0.0f;
    for (int i = 0; i < n; i++) {
      const slm_f32x8 error = new_scale * slm_to_float(trial[i]) + new_least - x[i];
      total = total + w[i] * (tries.absolute ? __builtin_elementwise_abs(error) : error * error);
    }
    const slm_i32x8 improves = (determinant > zero) & (total < best);
    if (!slm_any(improves)) continue;
    for (int i = 0; i < n; i++) codes[i] = improves ? trial[i] : codes[i];
    best = improves ? total : best;
    scale = improves ? new_scale : scale;
    least = improves ? new_least : least;
  }
  for (int i = 0; i < n; i++) codes[i] = codes[i] & ~flat;
  *minimum = -(flat ? flat_least : least);
  return flat ? zero : scale;
}

// Finds x ≈ scale · (code − middle) with codes from 0 to 2 · middle − 1. Returns the scales.
SLM_INLINE slm_f32x8 slm_search_symmetric(
    const slm_f32x8 *x, const slm_f32x8 *w, int n, int middle, slm_i32x8 *codes) {
  const slm_f32x8 zero = 0.0f;
  slm_f32x8 magnitude;
  const slm_f32x8 extreme = slm_extremes(x, n, &magnitude);
  slm_f32x8 scale = 0.0f, best = 0.0f;
  // The first try is the plain one, whose extreme value becomes code 0.
  for (int t = 0; t < 19; t++) {
    const int stretch = t == 0 ? 0 : t <= 9 ? t - 10 : t - 9;
    const float factor = -((float)middle + 0.1f * (float)stretch);
    const slm_f32x8 inverse = slm_all(factor) / extreme;
    slm_i32x8 trial[SLM_LONGEST];
    slm_f32x8 sum_xl = 0.0f, sum_ll = 0.0f;
    for (int i = 0; i < n; i++) {
      const slm_i32x8 level =
          slm_clamped(slm_nearest_integers(inverse * x[i]), -middle, middle - 1);
      trial[i] = level + middle;
      const slm_f32x8 l = slm_to_float(level);
      sum_xl = sum_xl + w[i] * x[i] * l;
      sum_ll = sum_ll + w[i] * l * l;
    }
    const slm_f32x8 new_scale = sum_xl / sum_ll;
    if (t == 0) {
      for (int i = 0; i < n; i++) codes[i] = trial[i];
      scale = sum_ll != zero ? new_scale : zero;
      best = scale * sum_xl;
      continue;
    }
    const slm_i32x8 improves = (sum_ll > zero) & (sum_xl * sum_xl > best * sum_ll);
    if (!slm_any(improves)) continue;
    for (int i = 0; i < n; i++) codes[i] = improves ? trial[i] : codes[i];
    scale = improves ? new_scale : scale;
    best = improves ? new_scale * sum_xl : best;
  }
  const slm_i32x8 vanishes = magnitude < slm_all(slm_vanishing);
  for (int i = 0; i < n; i++) codes[i] = codes[i] & ~vanishes;
  return vanishes ? zero : scale;
}

// The same with weights x², not by tries but by moving one code after another to where it is best
// beside the others, up to five times.
SLM_INLINE slm_f32x8 slm_refine_symmetric(
    const slm_f32x8 *x, int n, int middle, slm_i32x8 *codes) {
  const slm_f32x8 zero = 0.0f;
  slm_f32x8 magnitude;
  const slm_f32x8 inverse = slm_all((float)-middle) / slm_extremes(x, n, &magnitude);
  slm_f32x8 sum_xl = 0.0f, sum_ll = 0.0f;
  for (int i = 0; i < n; i++) {
    codes[i] = slm_clamped(slm_nearest_integers(inverse * x[i]), -middle, middle - 1);
    const slm_f32x8 l = slm_to_float(codes[i]), w = x[i] * x[i];
    sum_xl = sum_xl + w * x[i] * l;
    sum_ll = sum_ll + w * l * l;
  }
  for (int pass = 0; pass < 5; pass++) {
    slm_i32x8 changed = 0;
    for (int i = 0; i < n; i++) {
      const slm_f32x8 w = x[i] * x[i];
      const slm_f32x8 l = slm_to_float(codes[i]);
      const slm_f32x8 other_xl = sum_xl - w * x[i] * l, other_ll = sum_ll - w * l * l;
      const slm_i32x8 moved =
          slm_clamped(slm_nearest_integers(x[i] * other_ll / other_xl), -middle, middle - 1);
      const slm_f32x8 m = slm_to_float(moved);
      const slm_f32x8 new_xl = other_xl + w * x[i] * m, new_ll = other_ll + w * m * m;
      const slm_i32x8 improves = (other_xl > zero) & (moved != codes[i]) & (new_ll > zero)
          & (new_xl * new_xl * sum_ll > sum_xl * sum_xl * new_ll);
      codes[i] = improves ? moved : codes[i];
      sum_xl = improves ? new_xl : sum_xl;
      sum_ll = improves ? new_ll : sum_ll;
      changed = changed | improves;
    }
    if (!slm_any(changed)) break;
  }
  const slm_i32x8 vanishes = magnitude < slm_all(slm_vanishing);
  for (int i = 0; i < n; i++) codes[i] = (codes[i] + middle) & ~vanishes;
  return (vanishes | ~(sum_ll > zero)) ? zero : sum_xl / sum_ll;
}

// Finds x ≈ scale · code with codes from 0 to `top` for the few scales or minimums of one block,
// first by tries, then by moving one code after another.
SLM_INLINE float slm_search_positive(
    const float *x, const float *w, int n, int top, uint8_t *codes) {
  float greatest = 0;
  for (int i = 0; i < n; i++) greatest = greatest > x[i] ? greatest : x[i];
  if (greatest < slm_vanishing) {
    memset(codes, 0, (size_t)n);
    return 0;
  }
  float factor = (float)top / greatest, best = 0;
  for (int t = 0; t < 9; t++) {
    const int stretch = t == 0 ? 0 : t <= 4 ? t - 5 : t - 4;
    const float trial = (0.1f * (float)stretch + (float)top) / greatest, scale = 1 / trial;
    float total = 0;
    for (int i = 0; i < n; i++) {
      const int l = slm_nearest_integer(trial * x[i]);
      // The plain try is taken as stored in a byte, the others are bounded.
      const float code = (float)(t == 0 ? (uint8_t)l : l < top ? l : top);
      const float error = x[i] - scale * code;
      total += w[i] * error * error;
    }
    if (t == 0 || total < best) {
      best = total;
      factor = trial;
    }
  }
  float sum_xl = 0, sum_ll = 0;
  for (int i = 0; i < n; i++) {
    const int nearest = slm_nearest_integer(factor * x[i]);
    const int l = nearest < top ? nearest : top;
    codes[i] = (uint8_t)l;
    sum_xl += w[i] * x[i] * (float)l;
    sum_ll += w[i] * (float)l * (float)l;
  }
  for (int pass = 0, changed = 1; pass < 5 && changed; pass++) {
    changed = 0;
    for (int i = 0; i < n; i++) {
      const float l = (float)codes[i];
      const float other_xl = sum_xl - w[i] * x[i] * l, other_ll = sum_ll - w[i] * l * l;
      if (!(other_xl > 0 && other_ll > 0)) continue;
      const int nearest = slm_nearest_integer(x[i] * other_ll / other_xl);
      const int moved = nearest < top ? nearest : top;
      if (moved == codes[i]) continue;
      const float m = (float)moved;
      const float new_xl = other_xl + w[i] * x[i] * m, new_ll = other_ll + w[i] * m * m;
      if (!(new_xl * new_xl * sum_ll > sum_xl * sum_xl * new_ll)) continue;
      codes[i] = (uint8_t)moved;
      sum_xl = new_xl;
      sum_ll = new_ll;
      changed = 1;
    }
  }
  return sum_ll > 0 ? sum_xl / sum_ll : 0;
}

// The index of the value of IQ4 that is nearest, the greater of two: how many midpoints are not
// above, all of them for NaN. `level` receives the value itself.
SLM_INLINE slm_i32x8 slm_nearest_iq4(slm_f32x8 x, slm_f32x8 *level) {
  slm_f32x8 value = slm_all((float)slm_iq4_values[0]);
  slm_i32x8 index = 0;
  for (int k = 1; k < 16; k++) {
    const float below = slm_iq4_values[k - 1], above = slm_iq4_values[k];
    const slm_i32x8 reaches = ~(x < slm_all((below + above) / 2));
    value = reaches ? slm_all(above) : value;
    index = index - reaches;
  }
  *level = value;
  return index;
}

// Finds x ≈ scale · value for the values of IQ4. Returns the scales.
SLM_INLINE slm_f32x8 slm_search_iq4(const slm_f32x8 *x, const slm_f32x8 *w, int n) {
  const slm_f32x8 zero = 0.0f;
  slm_f32x8 magnitude;
  const slm_f32x8 extreme = slm_extremes(x, n, &magnitude);
  const float first = slm_iq4_values[0];
  slm_f32x8 scale = 0.0f, best = 0.0f;
  for (int t = -8; t <= 7; t++) {
    const int is_plain = t == -8;
    const slm_f32x8 inverse = is_plain ? slm_all(1.0f) / (-extreme / slm_all(first))
                                       : slm_all((float)t + first) / extreme;
    slm_f32x8 sum_xq = 0.0f, sum_qq = 0.0f, q;
    for (int i = 0; i < n; i++) {
      slm_nearest_iq4(inverse * x[i], &q);
      const slm_f32x8 weighted = w[i] * q;
      sum_xq = sum_xq + weighted * x[i];
      sum_qq = sum_qq + weighted * q;
    }
    const slm_f32x8 fit = sum_xq / sum_qq;
    if (is_plain) {
      scale = sum_qq > zero ? fit : zero;
      best = scale * sum_xq;
      continue;
    }
    const slm_i32x8 improves = (sum_qq > zero) & (sum_xq * sum_xq > best * sum_qq);
    scale = improves ? fit : scale;
    best = improves ? fit * sum_xq : best;
  }
  return magnitude < slm_all(slm_vanishing) ? zero : scale;
}
