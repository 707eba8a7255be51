#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slm_convert.h"

// What stands for zero in a group of codes.
enum slm_zero {
  SLM_ZERO_MIDDLE,  // value = scale * (code - 2^(bits - 1))
  SLM_ZERO_CODE,    // value = scale * (code - zero), with a zero of each group's own
  SLM_ZERO_OFFSET,  // value = scale * code + offset
};

// How groups of values are rounded to integer codes.
struct slm_rounding {
  int bits;        // 2...8
  int zero;        // an slm_zero
  int scale_type;  // SLM_FLOAT32, SLM_FLOAT16 or SLM_BFLOAT16; of offsets too
  bool searches;   // for the least squared error; else scales come from the extreme values
  bool negative;   // whether scales of SLM_ZERO_MIDDLE may be negative
};

// Rounds a row of values in groups of `group` neighbours, the last one perhaps shorter.
//
// Scales (and offsets) are rounded to their type first, and codes are chosen for the rounded ones.
// Writes one code a byte to `codes`, and per group a scale, and a zero or an offset where the kind
// of zero has one. The search weighs squared errors by `weights`, one a column in 0...1, unless it
// is null. Returns the sum of squared errors of what is stored, not weighted, which is not finite if
// a value is not, or if a scale is too large for its type.
double slm_round_row(
    const struct slm_rounding *rounding, const float *values, const float *weights,
    int64_t columns, int64_t group, uint8_t *codes, void *scales, uint8_t *zeros, void *offsets);

// Chooses the grid of one group as `slm_round_row` does, for the least sum of squared errors that
// are weighted, weights in 0...1. Stores it at `index`, and writes the scale as stored, the zero code
// and the offset to `grid_values`.
void slm_weighted_grid(
    const struct slm_rounding *rounding, const float *values, const float *weights, int64_t count,
    int64_t index, void *scales, uint8_t *zeros, void *offsets, float *grid_values);

// Packs codes of `bits` bits into a stream, the first code in the lowest bits of the first byte.
// Writes (count * bits + 7) / 8 bytes.
void slm_codes_pack(const uint8_t *codes, int64_t count, int bits, uint8_t *packed);

// The inverse of `slm_codes_pack`.
void slm_codes_unpack(const uint8_t *packed, int64_t count, int bits, uint8_t *codes);

// The sum of the squares of `count` values.
double slm_sum_of_squares(const float *values, int64_t count);

// Writes the row of GGUF blocks that stands for the same numbers as a row of codes, one a byte.
//
// `scales` and `offsets` are halves, one for every `group` columns, a multiple of 32 that divides
// `columns`. Without `zeros` the middle code 2^(bits - 1) stands for zero. Q4_0, Q5_0 and Q8_0 take
// codes less their zero in -8...7, -16...15 and -128...127; Q4_1 and Q5_1 take codes in 0...15 and
// 0...31 with offsets, or without, if the zero times the scale is a half. Returns 0, or -1 for
// another format.
int slm_blocks_from_codes(
    int format, const uint8_t *codes, int64_t columns, int64_t group, int bits,
    const uint8_t *scales, const uint8_t *zeros, const uint8_t *offsets, uint8_t *blocks);
