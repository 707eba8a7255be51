#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slm_matrix.h"

// Matrices made of stored levels and scales that are kept apart, to be trained.
//
// Scales and offsets are [rows, groups]; a group is `group` neighbouring columns of a row, the last
// one perhaps shorter. `shifts` may be NULL, and stands for ones then; it has no use without
// offsets, which may be NULL too. Rows `first` ..< `first + count` are computed; pointers are to
// the start of the whole arrays.

#define SLM_LEVELS(REAL, SUFFIX)                                                                \
  /* out = scale * level + offset * shift, each product and the sum rounded. */                 \
  void slm_levels_apply_##SUFFIX(                                                               \
      const struct slm_matrix *levels, const struct slm_matrix *shifts, int64_t first,          \
      int64_t count, int64_t group, const REAL *scales, const REAL *offsets, REAL *out);        \
  /* The sums over each group of dy * level and dy * shift. Either may be NULL; with            \
     `accumulate` they are added to. */                                                         \
  void slm_levels_gradient_##SUFFIX(                                                            \
      const struct slm_matrix *levels, const struct slm_matrix *shifts, int64_t first,          \
      int64_t count, int64_t group, const REAL *dy, bool accumulate_scales, REAL *dscales,      \
      bool accumulate_offsets, REAL *doffsets);                                                 \
  /* Rounds to a grid of `top + 1` codes, moved by `moves` codes:                               \
       code = clamp(round((w - offset) / scale + move) + zero, 0, top)                          \
       out = scale * (code - zero) + offset                                                     \
     with `zero` that of `zeros`, or `middle` if NULL. `codes`, one a byte, and `out` may be    \
     NULL. With `in_scales` w stands in place of (w - offset) / scale, and changes with both. */ \
  void slm_levels_round_##SUFFIX(                                                               \
      const struct slm_matrix *weight, bool in_scales, int64_t first, int64_t count,            \
      int64_t group, int top, int middle, const uint8_t *zeros, const REAL *scales,             \
      const REAL *offsets, const REAL *moves, uint8_t *codes, REAL *out);                       \
  /* Gradients of the same that pass through the rounding, and through the clamp inside of it.  \
     Each may be NULL. */                                                                       \
  void slm_levels_round_gradient_##SUFFIX(                                                      \
      const struct slm_matrix *weight, bool in_scales, int64_t first, int64_t count,            \
      int64_t group, int top, int middle, const uint8_t *zeros, const REAL *scales,             \
      const REAL *offsets, const REAL *moves, const REAL *dy, bool accumulate_scales,           \
      REAL *dscales, bool accumulate_offsets, REAL *doffsets, bool accumulate_moves,            \
      REAL *dmoves);

SLM_LEVELS(float, f32)
SLM_LEVELS(double, f64)
#undef SLM_LEVELS

// Moves each value by `rate` against the sign of its gradient, inside of -limit...limit.
void slm_sign_step(
    float *values, const float *gradient, int64_t count, float rate, float limit);

// Copies `width` bytes of each of `count` blocks of `size` bytes, from `place` in the block.
void slm_blocks_read_field(
    const uint8_t *blocks, int64_t count, int64_t size, int64_t place, int64_t width,
    uint8_t *fields);

// The inverse. Fields are the same for all blocks if `repeated`.
void slm_blocks_write_field(
    uint8_t *blocks, int64_t count, int64_t size, int64_t place, int64_t width, bool repeated,
    const uint8_t *fields);
