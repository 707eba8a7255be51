#include "blocks.h"

#include "include/slm_blocks.h"
#include "include/slm_round.h"
#include "multiversion.h"

// Codes with half-precision scales to the blocks of GGUF that stand for the same numbers.

static int slm_block_bytes(int format) {
  switch (format) {
  case SLM_BLOCK_Q4_0: return sizeof(slm_q4_0);
  case SLM_BLOCK_Q4_1: return sizeof(slm_q4_1);
  case SLM_BLOCK_Q5_0: return sizeof(slm_q5_0);
  case SLM_BLOCK_Q5_1: return sizeof(slm_q5_1);
  case SLM_BLOCK_Q8_0: return sizeof(slm_q8_0);
  default: return 0;
  }
}

// The code that stands for zero in the formats without a minimum.
static int slm_block_middle(int format) {
  switch (format) {
  case SLM_BLOCK_Q4_0: return 8;
  case SLM_BLOCK_Q5_0: return 16;
  default: return 0;
  }
}

SLM_INLINE void slm_pack_nibbles(const uint8_t *codes, uint8_t *q) {
  for (int j = 0; j < 16; j++) q[j] = (uint8_t)((codes[j] & 15) | codes[j + 16] << 4);
}

SLM_INLINE void slm_pack_fifth_bits(const uint8_t *codes, uint8_t *high) {
  uint32_t bits = 0;
  for (int j = 0; j < 32; j++) bits |= (uint32_t)(codes[j] >> 4 & 1) << j;
  for (int i = 0; i < 4; i++) high[i] = (uint8_t)(bits >> 8 * i);
}

SLM_INLINE void slm_pack_block(
    int format, const uint8_t *codes, const uint8_t *d, const uint8_t *m, uint8_t *block) {
  memcpy(block, d, 2);
  switch (format) {
  case SLM_BLOCK_Q4_0:
    slm_pack_nibbles(codes, ((slm_q4_0 *)block)->q);
    break;
  case SLM_BLOCK_Q4_1:
    memcpy(((slm_q4_1 *)block)->m, m, 2);
    slm_pack_nibbles(codes, ((slm_q4_1 *)block)->q);
    break;
  case SLM_BLOCK_Q5_0:
    slm_pack_fifth_bits(codes, ((slm_q5_0 *)block)->high);
    slm_pack_nibbles(codes, ((slm_q5_0 *)block)->q);
    break;
  case SLM_BLOCK_Q5_1:
    memcpy(((slm_q5_1 *)block)->m, m, 2);
    slm_pack_fifth_bits(codes, ((slm_q5_1 *)block)->high);
    slm_pack_nibbles(codes, ((slm_q5_1 *)block)->q);
    break;
  case SLM_BLOCK_Q8_0:
    memcpy(((slm_q8_0 *)block)->q, codes, 32);
    break;
  }
}

SLM_MULTIVERSION
int slm_blocks_from_codes(
    int format, const uint8_t *codes, int64_t columns, int64_t group, int bits,
    const uint8_t *scales, const uint8_t *zeros, const uint8_t *offsets, uint8_t *blocks) {
  const int size = slm_block_bytes(format), middle = slm_block_middle(format);
  if (size == 0) return -1;
  const int has_minimum = format == SLM_BLOCK_Q4_1 || format == SLM_BLOCK_Q5_1;
  for (int64_t first = 0; first < columns; first += 32, blocks += size) {
    const int64_t index = first / group;
    const int zero = zeros ? zeros[index] : 1 << (bits - 1);
    const uint8_t *d = scales + 2 * index;
    uint8_t m[2] = {0, 0};
    if (has_minimum && offsets) memcpy(m, offsets + 2 * index, 2);
    if (has_minimum && !offsets) slm_float_to_half(-(float)zero * slm_half_to_float(d), m);
    // Q8_0 holds signed codes; the low byte of the difference is theirs.
    const uint8_t shift = (uint8_t)(has_minimum ? 0 : middle - zero);
    uint8_t shifted[32];
    for (int j = 0; j < 32; j++) shifted[j] = (uint8_t)(codes[first + j] + shift);
    slm_pack_block(format, shifted, d, m, blocks);
  }
  return 0;
}
