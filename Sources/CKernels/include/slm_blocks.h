#pragma once

#include <stddef.h>
#include <stdint.h>

// The block formats of GGUF, by ggml's type numbers.
enum slm_block_format {
  SLM_BLOCK_Q4_0 = 2,
  SLM_BLOCK_Q4_1 = 3,
  SLM_BLOCK_Q5_0 = 6,
  SLM_BLOCK_Q5_1 = 7,
  SLM_BLOCK_Q8_0 = 8,
  SLM_BLOCK_Q2_K = 10,
  SLM_BLOCK_Q3_K = 11,
  SLM_BLOCK_Q4_K = 12,
  SLM_BLOCK_Q5_K = 13,
  SLM_BLOCK_Q6_K = 14,
  SLM_BLOCK_IQ4_NL = 20,
  SLM_BLOCK_IQ4_XS = 23,
};

// Writes the `count` values of consecutive blocks to `out`. `count` is a multiple of the block's
// length. `blocks` need not be aligned. Returns 0, or -1 for a format that is not listed.
int slm_blocks_widen(int format, const void *blocks, int64_t count, float *out);

// Rounds `count` values to consecutive blocks by ggml's reference rule (absolute maximum), for
// Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: the same bytes, also of infinite values; which bytes a NaN
// becomes is not defined. `count` is a multiple of 32. Returns 0, or -1 for another format.
int slm_blocks_round(int format, const float *values, int64_t count, void *blocks);

// The seam between a block's scales and its codes. In every format the number that a code stands
// for is
//
//     scales[s] * levels[code] + offsets[s]
//
// multiplied and added in this order in float32, bit by bit what slm_blocks_widen writes. Here s
// is the sub-block: 16 values in Q2_K, Q3_K and Q6_K, else 32. Codes are unsigned, from 0, one per
// byte. Levels rise with the code: by ones from a first level, or in IQ4_NL and IQ4_XS as in their
// table. The functions return 0, or -1 for a format that is not listed; `count` is a number of
// values, a multiple of the block's length.

// Writes complete blocks with the scales and codes that ggml's quantizers choose, byte by byte.
// `importance` has a weight from 0 for each value, or is NULL for ggml's rule without weights.
// Q4_0, Q4_1, Q5_0 and Q5_1 with importance also look at the mean square of the row the values are
// from: `mean_square`, or where it is negative that of `values`. Other formats ignore it.
int slm_blocks_choose(
    int format, const float *values, const float *importance, float mean_square, int64_t count,
    void *blocks);

// Writes the levels of all codes, at most 256.
int slm_blocks_levels(int format, float *levels);

// Writes the scale and offset of each sub-block. A format without offsets has negative zeros.
int slm_blocks_grid(int format, const void *blocks, int64_t count, float *scales, float *offsets);

// Replaces the codes of blocks, leaving their scales. Codes beyond the format's count lose bits.
int slm_blocks_put_codes(int format, const uint8_t *codes, int64_t count, void *blocks);

// Reads the codes of blocks.
int slm_blocks_get_codes(int format, const void *blocks, int64_t count, uint8_t *codes);

// The nearest codes of values on the grids of their sub-blocks, code 0's level first: codes for
// the numbers (value - offset) / scale rounded with ties to even, or to the greater level in IQ4.
// Where a scale is zero, of the level nearest to zero.
int slm_blocks_nearest_codes(
    int format, const float *values, const float *scales, const float *offsets, int64_t count,
    uint8_t *codes);
