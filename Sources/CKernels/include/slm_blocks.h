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
