#pragma once

#include <stddef.h>
#include <stdint.h>

#include "slm_blocks.h"
#include "slm_round.h"

// A matrix that is rounded column by column, each error being made up for by the columns to come.
//
// What is held gets the code that stands for zero, which every grid without offsets has, and leaves
// behind all that it was corrected by.
//
// Columns are taken in an order: position p is column order[p]. Positions come in spans whose grid
// is chosen when the first of them is reached; a span's columns are consecutive, in any order.
//
// The grid of a span is that of one group of integer codes, or that of one GGUF block with its
// sub-blocks. A code stands for scale * (first + code) + offset, or in formats with uneven levels
// for scale * levels[code] + offset.
struct slm_gptq {
  int64_t columns;
  const double *factor;  // U of inverse(H) = U^T U, upper, by position, [columns, columns]
  const int32_t *order;  // [columns]
  int64_t span;          // positions and columns of a span; the last may be shorter
  int64_t part;          // columns of a span that share a scale
  int code_count;
  const float *levels;  // [code_count], rising; only of blocks
  bool is_uneven;       // whether levels are not consecutive integers
  int block_format;     // an slm_block_format, or 0 for groups
  int64_t block_bytes;
  struct slm_rounding rounding;  // of groups
};

// What is kept of one row between calls.
struct slm_gptq_row {
  double *weights;    // [columns] by position; those to come are corrected
  const uint8_t *held;  // [columns] by position: 1 for what is to stay zero; NULL for none
  uint8_t *codes;     // [columns] by column
  float *grids;       // [parts][3] by column: scale, first level and offset as stored
  uint8_t *blocks;    // of a block format, whose scales are written
  float mean_square;  // of the row as it was, of which some block formats make use
  void *scales;       // [spans], of the rounding's type, and the others where the kind has them
  uint8_t *zeros;
  void *offsets;
  float *scratch;     // [2 * span]
};

// Rounds positions begin..<end of a row, and corrects those up to `end`. Writes to errors[p - begin]
// what position p leaves behind, for the correction of positions from `end` on:
//
//     weights[k] -= sum over p of errors[p - begin] * factor[p][k]
//
// Returns the sum of squares of the errors, which is the squared error of the row's outputs as far
// as no column to come can make up for it.
double slm_gptq_positions(
    const struct slm_gptq *problem, struct slm_gptq_row *row, int64_t begin, int64_t end,
    double *errors);
