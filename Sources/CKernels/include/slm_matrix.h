#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slm_convert.h"

// How a matrix's numbers are stored.
enum slm_storage {
  SLM_ELEMENTS,  // one number each, of a floating type or int8
  SLM_BLOCKS,    // GGUF blocks
  SLM_CODES,     // integer codes with scales for groups of columns
};

// A matrix [rows, columns] in the form in which it is stored. Nothing need be aligned.
struct slm_matrix {
  int storage;
  int64_t rows, columns;
  const void *data;
  int64_t row_bytes;  // from one row to the next

  int type;    // SLM_ELEMENTS: an slm_type
  int format;  // SLM_BLOCKS: an slm_block_format

  // SLM_CODES: value = scale * (code - zero), or scale * code + offset.
  int bits;            // 2...8, unsigned; a row is a stream of codes, lowest bit first
  int64_t group;       // columns that share a scale
  int64_t groups;      // of a row
  const void *scales;  // [rows, groups]
  int scale_type;
  const uint8_t *zeros;  // [rows, groups], or NULL for 2^(bits - 1)
  const void *offsets;   // [rows, groups], or NULL
  int offset_type;
};

// Writes the values of columns begin..<end of one row as float32. `begin` is a multiple of 256,
// and of blocks `end` is a multiple of their length.
void slm_matrix_widen(
    const struct slm_matrix *matrix, int64_t row, int64_t begin, int64_t end, float *out);

// Whether every value is scale * code with integer codes of at most 8 bits and a scale for each
// group of columns: symmetric codes, blocks of Q8_0 and Q4_0, int8.
bool slm_matrix_has_codes(const struct slm_matrix *matrix);

// The columns that share a scale, for a matrix that has codes.
int64_t slm_matrix_group(const struct slm_matrix *matrix);

// Writes the signed codes of columns begin..<end of one row. `begin` is a multiple of 8 and of the
// columns that share a scale, or of 32.
void slm_matrix_codes(
    const struct slm_matrix *matrix, int64_t row, int64_t begin, int64_t end, int8_t *out);

// Writes the scales of groups begin..<end of one row, `step` elements apart.
void slm_matrix_scales(
    const struct slm_matrix *matrix, int64_t row, int64_t begin, int64_t end, float *out,
    int64_t step);
