#pragma once

#include "blocks_grid.h"
#include "blocks_search.h"

// Blocks as ggml's quantizers make them: scales by search, then the nearest codes.

// Eight sub-blocks, one per lane. Lanes beyond `count` repeat the last one.
SLM_INLINE void slm_load_lanes(const float *values, int n, int count, slm_f32x8 *x) {
  for (int i = 0; i < n; i++) {
    slm_f32x8 lanes;
    for (int lane = 0; lane < SLM_LANES; lane++) {
      lanes[lane] = values[(lane < count ? lane : count - 1) * n + i];
    }
    x[i] = lanes;
  }
}

SLM_INLINE void slm_store_codes(const slm_i32x8 *codes, int n, int count, uint8_t *bytes) {
  for (int i = 0; i < n; i++) {
    for (int lane = 0; lane < count; lane++) bytes[lane * n + i] = (uint8_t)codes[i][lane];
  }
}

// importance · √(spread + x²)
SLM_INLINE void slm_weigh(
    const slm_f32x8 *x, const slm_f32x8 *importance, int n, slm_f32x8 spread, slm_f32x8 *w) {
  for (int i = 0; i < n; i++) {
    w[i] = importance[i] * __builtin_elementwise_sqrt(spread + x[i] * x[i]);
  }
}

SLM_INLINE slm_f32x8 slm_sum(const slm_f32x8 *w, int n) {
  slm_f32x8 sum = 0.0f;
  for (int i = 0; i < n; i++) sum = sum + w[i];
  return sum;
}

SLM_INLINE float slm_sum_of_squares(const float *values, int64_t count) {
  float sum = 0;
  for (int64_t i = 0; i < count; i++) sum += values[i] * values[i];
  return sum;
}

// MARK: Blocks of 32 with importance

SLM_INLINE void slm_choose_32(
    const slm_layout *layout, const float *values, const float *importance, float mean_square,
    int count, uint8_t *blocks) {
  const int n = 32, has_offset = layout->first_level == 0;
  const slm_tries tries = {-0.9f, 0.05f, 36, 0};
  slm_f32x8 x[32], w[32], scale, minimum = 0.0f;
  slm_i32x8 codes[32];
  slm_load_lanes(values, n, count, x);
  slm_load_lanes(importance, n, count, w);
  slm_weigh(x, w, n, slm_all(mean_square), w);
  if (has_offset) {
    scale = slm_search_affine(x, w, n, layout->code_count - 1, tries, codes, &minimum);
  } else {
    scale = slm_search_symmetric(x, w, n, -layout->first_level, codes);
  }
  uint8_t bytes[32 * SLM_LANES];
  slm_store_codes(codes, n, count, bytes);
  for (int lane = 0; lane < count; lane++, blocks += layout->size) {
    slm_float_to_half(scale[lane], blocks);
    if (has_offset) slm_float_to_half(-minimum[lane], blocks + 2);
    slm_put_codes(layout, bytes + lane * n, blocks);
  }
}

// MARK: IQ4

// Eight blocks of IQ4_NL, or the eight sub-blocks of one of IQ4_XS.
SLM_INLINE void slm_choose_iq4(
    const slm_layout *layout, const float *values, const float *importance, int count,
    uint8_t *blocks) {
  const int n = 32, is_xs = layout->length == 256;
  slm_f32x8 x[32], w[32];
  slm_load_lanes(values, n, count, x);
  if (importance) {
    slm_f32x8 spread = 0.0f;
    for (int lane = 0; lane < count; lane++) {
      spread[lane] = is_xs && lane > 0
          ? spread[0]
          : slm_sum_of_squares(values + lane * n, layout->length) * (2.0f / (float)layout->length);
    }
    slm_load_lanes(importance, n, count, w);
    slm_weigh(x, w, n, spread, w);
  } else {
    for (int i = 0; i < n; i++) w[i] = x[i] * x[i];
  }
  const slm_f32x8 scales = slm_search_iq4(x, w, n);
  // Codes are the nearest on the grid of these scales, before they are rounded to halves.
  slm_f32x8 stored = scales;
  if (is_xs) {
    float extreme = 0, magnitude = 0;
    for (int lane = 0; lane < SLM_LANES; lane++) {
      if (!(__builtin_fabsf(scales[lane]) > magnitude)) continue;
      magnitude = __builtin_fabsf(scales[lane]);
      extreme = scales[lane];
    }
    const float d = -extreme / 32, inverse = d != 0 ? 1 / d : 0;
    slm_iq4_xs *block = (slm_iq4_xs *)blocks;
    slm_float_to_half(d, block->d);
    const slm_i32x8 l = slm_clamped(slm_nearest_integers(inverse * scales), -32, 31);
    stored = d * slm_to_float(l);
    uint32_t high = 0;
    memset(block->scales_low, 0, sizeof block->scales_low);
    for (int lane = 0; lane < SLM_LANES; lane++) {
      const int code = l[lane] + 32;
      block->scales_low[lane / 2] |= (uint8_t)((code & 15) << lane % 2 * 4);
      high |= (uint32_t)(code >> 4 & 3) << 2 * lane;
    }
    block->scales_high[0] = (uint8_t)high;
    block->scales_high[1] = (uint8_t)(high >> 8);
  } else {
    for (int lane = 0; lane < count; lane++) {
      slm_float_to_half(scales[lane], blocks + lane * layout->size);
    }
  }
  const slm_f32x8 zero = 0.0f, inverse = stored != zero ? slm_all(1.0f) / stored : zero;
  slm_i32x8 codes[32];
  for (int i = 0; i < n; i++) {
    slm_f32x8 level;
    codes[i] = slm_nearest_iq4(inverse * x[i], &level);
  }
  uint8_t bytes[256];
  slm_store_codes(codes, n, count, bytes);
  for (int first = 0; first < 32 * count; first += layout->length, blocks += layout->size) {
    slm_put_codes(layout, bytes + first, blocks);
  }
}

// MARK: K formats

// Scales and minimums of six bits in the order of Q4_K and Q5_K.
SLM_INLINE void slm_pack_scales(const uint8_t *scales, const uint8_t *minimums, uint8_t *s) {
  for (int j = 0; j < 4; j++) {
    s[j] = (uint8_t)((scales[j] & 63) | scales[j + 4] >> 4 << 6);
    s[j + 4] = (uint8_t)((minimums[j] & 63) | minimums[j + 4] >> 4 << 6);
    s[j + 8] = (uint8_t)((scales[j + 4] & 15) | minimums[j + 4] << 4);
  }
}

// Rounds scales of one sign to codes from 0 to `top` so that the greatest becomes `top`.
SLM_INLINE float slm_round_positive(const float *x, int n, int top, int bounded, uint8_t *codes) {
  float greatest = 0;
  for (int j = 0; j < n; j++) greatest = x[j] > greatest ? x[j] : greatest;
  const float inverse = greatest > 0 ? (float)top / greatest : 0;
  for (int j = 0; j < n; j++) {
    codes[j] = (uint8_t)slm_nearest_integer(inverse * x[j]);
    if (bounded && codes[j] > top) codes[j] = (uint8_t)top;
  }
  return greatest / (float)top;
}

SLM_INLINE void slm_store_affine(
    int format, const float *scales, const float *minimums, const float *weights, uint8_t *bytes) {
  const int is_q2 = format == SLM_BLOCK_Q2_K, n = is_q2 ? 16 : 8, top = is_q2 ? 15 : 63;
  uint8_t s[16], m[16];
  const float d = weights ? slm_search_positive(scales, weights, n, top, s)
                          : slm_round_positive(scales, n, top, !is_q2, s);
  const float dm = weights ? slm_search_positive(minimums, weights, n, top, m)
                           : slm_round_positive(minimums, n, top, !is_q2, m);
  if (is_q2) {
    slm_q2_k *block = (slm_q2_k *)bytes;
    for (int j = 0; j < n; j++) block->scales[j] = (uint8_t)(s[j] | m[j] << 4);
    slm_float_to_half(d, block->d);
    slm_float_to_half(dm, block->m);
  } else {
    slm_q4_k *block = (slm_q4_k *)bytes;
    for (int j = 0; j < n; j++) {
      if (s[j] > top) s[j] = (uint8_t)top;
      if (m[j] > top) m[j] = (uint8_t)top;
    }
    slm_pack_scales(s, m, block->scales);
    slm_float_to_half(d, block->d);
    slm_float_to_half(dm, block->m);
  }
}

SLM_INLINE void slm_store_q3_k(const float *scales, const float *weights, slm_q3_k *block) {
  uint8_t codes[16] = {0};
  float d = 0;
  if (weights) {
    // The sixteen scales are one more sub-block, with 64 levels.
    slm_f32x8 x[16], w[16];
    slm_i32x8 lanes[16];
    for (int j = 0; j < 16; j++) {
      x[j] = slm_all(scales[j]);
      w[j] = slm_all(weights[j]);
    }
    d = slm_search_symmetric(x, w, 16, 32, lanes)[0];
    slm_store_codes(lanes, 16, 1, codes);
  } else {
    float extreme = 0, magnitude = 0;
    for (int j = 0; j < 16; j++) {
      if (!(__builtin_fabsf(scales[j]) > magnitude)) continue;
      magnitude = __builtin_fabsf(scales[j]);
      extreme = scales[j];
    }
    if (extreme != 0) {
      const float inverse = -32.0f / extreme;
      for (int j = 0; j < 16; j++) {
        const int l = (int8_t)slm_nearest_integer(inverse * scales[j]);
        codes[j] = (uint8_t)((l < -32 ? -32 : l > 31 ? 31 : l) + 32);
      }
      d = 1 / inverse;
    }
  }
  memset(block->scales, 0, sizeof block->scales);
  for (int j = 0; j < 16; j++) {
    block->scales[j % 8] |= (uint8_t)((codes[j] & 15) << j / 8 * 4);
    block->scales[8 + j % 4] |= (uint8_t)(codes[j] >> 4 << j / 4 * 2);
  }
  slm_float_to_half(d, block->d);
}

// Returns whether any scale is to be stored; if not, the block is zeros.
SLM_INLINE int slm_store_q6_k(const float *scales, slm_q6_k *block) {
  float extreme = 0, magnitude = 0;
  for (int j = 0; j < 16; j++) {
    if (!(__builtin_fabsf(scales[j]) > magnitude)) continue;
    magnitude = __builtin_fabsf(scales[j]);
    extreme = scales[j];
  }
  if (magnitude < slm_vanishing) {
    memset(block, 0, sizeof *block);
    return 0;
  }
  const float inverse = -128.0f / extreme;
  for (int j = 0; j < 16; j++) {
    const int l = slm_nearest_integer(inverse * scales[j]);
    block->scales[j] = (uint8_t)(l < 127 ? l : 127);
  }
  slm_float_to_half(1 / inverse, block->d);
  return 1;
}

SLM_INLINE void slm_choose_k(
    int format, const slm_layout *layout, const float *values, const float *importance,
    uint8_t *block) {
  const int n = layout->sub_length, groups = 256 / n;
  const int is_affine = layout->first_level == 0, top = layout->code_count - 1;
  slm_f32x8 x[32], w[32];
  slm_i32x8 codes[32];
  uint8_t bytes[256];
  float scales[16], minimums[16], weights[16], offsets[16];

  slm_tries tries = {-0.9f, 0.05f, 36, 0};
  if (!importance) {
    tries = (slm_tries){-0.5f, 0.1f, 15, format == SLM_BLOCK_Q2_K};
    if (format == SLM_BLOCK_Q4_K) tries = (slm_tries){-1.0f, 0.1f, 20, 0};
  }
  float spread = 0;
  if (importance) {
    const float sum = slm_sum_of_squares(values, 256);
    spread = (format == SLM_BLOCK_Q2_K ? sum : 2 * sum) / 256;
  }
  for (int first = 0; first < groups; first += SLM_LANES) {
    slm_load_lanes(values + first * n, n, SLM_LANES, x);
    if (importance) {
      slm_load_lanes(importance + first * n, n, SLM_LANES, w);
      if (format != SLM_BLOCK_Q6_K) slm_weigh(x, w, n, slm_all(spread), w);
    } else if (is_affine) {
      slm_f32x8 typical = 0.0f;
      if (format != SLM_BLOCK_Q2_K) {
        for (int i = 0; i < n; i++) typical = typical + x[i] * x[i];
        typical = __builtin_elementwise_sqrt(typical / slm_all(32.0f));
      }
      for (int i = 0; i < n; i++) w[i] = typical + __builtin_elementwise_abs(x[i]);
    } else {
      for (int i = 0; i < n; i++) w[i] = x[i] * x[i];
    }
    slm_f32x8 scale, minimum = 0.0f;
    const slm_f32x8 sum = slm_sum(w, n);
    if (is_affine) {
      scale = slm_search_affine(x, w, n, top, tries, codes, &minimum);
    } else if (format == SLM_BLOCK_Q3_K && !importance) {
      scale = slm_refine_symmetric(x, n, 4, codes);
    } else {
      scale = slm_search_symmetric(x, w, n, -layout->first_level, codes);
    }
    memcpy(scales + first, &scale, sizeof scale);
    memcpy(minimums + first, &minimum, sizeof minimum);
    memcpy(weights + first, &sum, sizeof sum);
    slm_store_codes(codes, n, SLM_LANES, bytes + first * n);
  }
  if (format == SLM_BLOCK_Q3_K) {
    slm_store_q3_k(scales, importance ? weights : NULL, (slm_q3_k *)block);
  } else if (format == SLM_BLOCK_Q6_K) {
    if (!slm_store_q6_k(scales, (slm_q6_k *)block)) return;
  } else {
    slm_store_affine(format, scales, minimums, importance ? weights : NULL, block);
  }

  // The nearest codes on the grid as stored. Where a scale became zero, the search's codes stay.
  slm_block_grid(format, block, scales, offsets);
  const int least = layout->first_level;
  for (int j = 0; j < groups; j++) {
    if (scales[j] == 0) continue;
    for (int i = j * n; i < (j + 1) * n; i += SLM_LANES) {
      slm_f32x8 eight;
      memcpy(&eight, values + i, sizeof eight);
      const slm_f32x8 exact = (eight - slm_all(offsets[j])) / slm_all(scales[j]);
      const slm_i32x8 level = slm_clamped(slm_nearest_integers(exact), least, least + top);
      for (int lane = 0; lane < SLM_LANES; lane++) bytes[i + lane] = (uint8_t)(level[lane] - least);
    }
  }
  slm_put_codes(layout, bytes, block);
}
