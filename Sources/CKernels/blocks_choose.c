#include "blocks_choose.h"

#include "include/slm_blocks.h"
#include "multiversion.h"

SLM_MULTIVERSION
int slm_blocks_choose(
    int format, const float *restrict values, const float *restrict importance, float mean_square,
    int64_t count, void *restrict blocks) {
  slm_layout layout;
  if (!slm_layout_of(format, &layout)) return -1;
  const int is_iq4 = slm_is_iq4(format), is_short = layout.length == 32 && !is_iq4;
  if (is_short && (!importance || format == SLM_BLOCK_Q8_0)) {
    return slm_blocks_round(format, values, count, blocks);
  }
  if (is_short && mean_square < 0) mean_square = slm_sum_of_squares(values, count) / (float)count;
  // As many blocks at a time as have a sub-block for every lane.
  const int64_t step = layout.length == 32 ? 32 * SLM_LANES : 256;
  uint8_t *block = blocks;
  for (int64_t first = 0; first < count; first += step) {
    const int64_t length = count - first < step ? count - first : step;
    const float *weights = importance ? importance + first : NULL;
    if (is_iq4) {
      slm_choose_iq4(&layout, values + first, weights, (int)(length / 32), block);
    } else if (is_short) {
      slm_choose_32(&layout, values + first, weights, mean_square, (int)(length / 32), block);
    } else {
      slm_choose_k(format, &layout, values + first, weights, block);
    }
    block += length / layout.length * layout.size;
  }
  return 0;
}
