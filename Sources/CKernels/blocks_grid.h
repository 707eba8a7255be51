#pragma once

#include "blocks_layout.h"
#include "blocks_widen.h"

// The scale and offset of each sub-block, multiplied as the widening multiplies them. A format
// without offsets has negative zeros, which leave every number they are added to as it is.
SLM_INLINE void slm_block_grid(int format, const uint8_t *bytes, float *scales, float *offsets) {
  slm_layout layout;
  if (!slm_layout_of(format, &layout)) return;
  const int groups = layout.length / layout.sub_length;
  for (int j = 0; j < groups; j++) offsets[j] = -0.0f;
  switch (format) {
  case SLM_BLOCK_Q4_1:
  case SLM_BLOCK_Q5_1:
    scales[0] = slm_half_to_float(bytes);
    offsets[0] = slm_half_to_float(bytes + 2);
    break;
  case SLM_BLOCK_Q2_K: {
    const slm_q2_k *block = (const slm_q2_k *)bytes;
    const float d = slm_half_to_float(block->d), m = slm_half_to_float(block->m);
    for (int j = 0; j < 16; j++) {
      scales[j] = d * (float)(block->scales[j] & 15);
      offsets[j] = -(m * (float)(block->scales[j] >> 4));
    }
    break;
  }
  case SLM_BLOCK_Q3_K: {
    const slm_q3_k *block = (const slm_q3_k *)bytes;
    const float d = slm_half_to_float(block->d);
    for (int j = 0; j < 16; j++) {
      const int low = block->scales[j % 8] >> j / 8 * 4 & 15;
      const int high = block->scales[8 + j % 4] >> j / 4 * 2 & 3;
      scales[j] = d * (float)((low | high << 4) - 32);
    }
    break;
  }
  case SLM_BLOCK_Q4_K:
  case SLM_BLOCK_Q5_K: {
    // The scales of both formats lie alike.
    const slm_q4_k *block = (const slm_q4_k *)bytes;
    const float d = slm_half_to_float(block->d), m = slm_half_to_float(block->m);
    for (int j = 0; j < 8; j++) {
      float scale, minimum;
      slm_packed_scale(block->scales, j, &scale, &minimum);
      scales[j] = d * scale;
      offsets[j] = -(m * minimum);
    }
    break;
  }
  case SLM_BLOCK_Q6_K: {
    const slm_q6_k *block = (const slm_q6_k *)bytes;
    const float d = slm_half_to_float(block->d);
    for (int j = 0; j < 16; j++) scales[j] = d * (float)(int8_t)block->scales[j];
    break;
  }
  case SLM_BLOCK_IQ4_XS: {
    const slm_iq4_xs *block = (const slm_iq4_xs *)bytes;
    const float d = slm_half_to_float(block->d);
    const int all_high = block->scales_high[0] | block->scales_high[1] << 8;
    for (int j = 0; j < 8; j++) {
      const int low = block->scales_low[j / 2] >> j % 2 * 4 & 15;
      scales[j] = d * (float)((low | (all_high >> 2 * j & 3) << 4) - 32);
    }
    break;
  }
  default:
    scales[0] = slm_half_to_float(bytes);
  }
}
