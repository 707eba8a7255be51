#include "blocks_grid.h"
#include "include/slm_blocks.h"
#include "multiversion.h"

// The grids of blocks, and codes into and out of them.

int slm_blocks_levels(int format, float *levels) {
  slm_layout layout;
  if (!slm_layout_of(format, &layout)) return -1;
  for (int code = 0; code < layout.code_count; code++) {
    levels[code] = slm_is_iq4(format) ? (float)slm_iq4_values[code]
                                      : (float)(code + layout.first_level);
  }
  return 0;
}

int slm_blocks_grid(
    int format, const void *blocks, int64_t count, float *restrict scales,
    float *restrict offsets) {
  slm_layout layout;
  if (!slm_layout_of(format, &layout)) return -1;
  const uint8_t *block = blocks;
  const int groups = layout.length / layout.sub_length;
  for (int64_t i = 0; i < count; i += layout.length, block += layout.size) {
    slm_block_grid(format, block, scales, offsets);
    scales += groups;
    offsets += groups;
  }
  return 0;
}

SLM_MULTIVERSION
int slm_blocks_put_codes(
    int format, const uint8_t *restrict codes, int64_t count, void *restrict blocks) {
  slm_layout layout;
  if (!slm_layout_of(format, &layout)) return -1;
  uint8_t *block = blocks;
  for (int64_t i = 0; i < count; i += layout.length, block += layout.size) {
    slm_put_codes(&layout, codes + i, block);
  }
  return 0;
}

SLM_MULTIVERSION
int slm_blocks_get_codes(
    int format, const void *restrict blocks, int64_t count, uint8_t *restrict codes) {
  slm_layout layout;
  if (!slm_layout_of(format, &layout)) return -1;
  const uint8_t *block = blocks;
  for (int64_t i = 0; i < count; i += layout.length, block += layout.size) {
    slm_get_codes(&layout, block, codes + i);
  }
  return 0;
}

SLM_MULTIVERSION
int slm_blocks_nearest_codes(
    int format, const float *restrict values, const float *restrict scales,
    const float *restrict offsets, int64_t count, uint8_t *restrict codes) {
  slm_layout layout;
  if (!slm_layout_of(format, &layout)) return -1;
  const int n = layout.sub_length, least = layout.first_level, top = layout.code_count - 1;
  const int is_iq4 = slm_is_iq4(format);
  for (int64_t first = 0; first < count; first += n) {
    const float scale = scales[first / n], offset = offsets[first / n];
    // Every code of a grid without a scale stands for the same number.
    const float inverse = scale != 0 ? 1 / scale : 0;
    for (int j = 0; j < n; j++) {
      const float exact = (values[first + j] - offset) * inverse;
      int code = 0;
      if (is_iq4) {
        for (int k = 1; k < 16; k++) {
          const float below = slm_iq4_values[k - 1], above = slm_iq4_values[k];
          code += exact >= (below + above) / 2;
        }
      } else {
        const float level = __builtin_rintf(exact) - (float)least;
        code = (int)(level > 0 ? level < (float)top ? level : (float)top : 0);
      }
      codes[first + j] = (uint8_t)code;
    }
  }
  return 0;
}
