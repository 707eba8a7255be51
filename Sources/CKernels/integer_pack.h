#pragma once

#include "slm_integer.h"

// How rows of codes lie before they are packed: each group of columns filled up with zeros to a
// multiple of `unit` codes, and the row to a multiple of 64.
struct slm_integer_layout {
  int64_t group, groups;
  int64_t padded;  // codes of a group
  int64_t length;  // codes of a row
};

struct slm_integer_layout slm_integer_layout(const struct slm_matrix *weight, int64_t unit);

// Rounds a row of x and lays its codes out. Returns the scale.
float slm_integer_round_row(
    const struct slm_integer *p, const struct slm_integer_layout *layout, int64_t row,
    int8_t *codes);

// Lays out the codes of groups begin..<end of a row of the weight, from the start of `codes` on.
void slm_integer_codes(
    const struct slm_matrix *weight, const struct slm_integer_layout *layout, int64_t row,
    int64_t begin, int64_t end, int8_t *codes);

// Fills codes of consecutive groups of `group` up to `padded` with zeros, from the end on, where
// `count` are there; `length` is where zeros end.
void slm_integer_spread(
    const struct slm_integer_layout *layout, int64_t count, int64_t length, int8_t *codes);

// Packs `valid` rows of codes, `step` apart, as a slice of `width`: words [words][width]. Where
// words hold four codes, `flips` adds 128 to each. Rows are read to a multiple of 32 codes.
void slm_integer_pack(
    const int8_t *codes, int64_t step, int64_t valid, int64_t width, int64_t words, bool quads,
    bool flips, uint32_t *out);

// Adds up codes.
int32_t slm_integer_sum(const int8_t *codes, int64_t count);
