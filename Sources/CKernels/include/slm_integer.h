#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slm_matrix.h"

// The product y[rows, outputs] = x[rows, depth] * weight[outputs, depth]^T (+ bias) of rows of x
// rounded to 8 bits and a weight whose codes are symmetric (slm_matrix_has_codes).
//
//     y[i][n] = (sum over groups g of ws[n][g] * float(sum over k in g of xq[i][k] * wq[n][k]))
//               * xs[i] + bias[n]
//
// Sums over a group are exact integers of 32 bits; what follows is rounded once an operation, in
// the order of the groups, so that every variant and any number of rows gives the same bits.
// A group of more than 131,071 columns could overflow.
struct slm_integer {
  int64_t rows, outputs, depth;
  const float *x;
  int64_t x_step;  // elements between rows of x
  float scale;     // of every row of x, or 0 to take each row's absolute maximum / 127
  const struct slm_matrix *weight;
  const float *bias;  // [outputs], or NULL
  float *y;
  int64_t y_step;  // elements between rows of y
};

// A tile of the product, of packed slices of a, [depth][rows], and of b, [depth][columns], as
// 32-bit words: two neighbours along the depth of 16 bits, or four of 8, of which those of a have
// 128 added and are unsigned.
struct slm_integer_tile {
  int64_t groups, words;      // the slices' groups of columns, and the words of each
  const void *a, *b;
  const int32_t *start;       // what sums start from, [groups][columns], or NULL for 0
  const float *scales;        // of b, [groups][columns]
  const float *row_scales;    // of a, [rows]; NULL as long as groups are to follow
  const float *bias;          // [columns], or NULL
  float *c;
  int64_t c_step;
  bool continues;             // c holds the integers of the one group's columns before
  bool keeps;                 // c shall hold integers, since more columns of the group follow
  bool adds;                  // c holds the sums of groups before
};

struct slm_integer_variant {
  const char *name;
  int64_t rows, columns;  // of a tile
  bool quads;             // whether words are four numbers of 8 bits
  void (*tile)(const struct slm_integer_tile *tile);
};

// The variants that this machine's CPU can run, best first; NULL from the last on. They end with
// one that emulates the CPU's products of four numbers exactly and slowly, for tests.
const struct slm_integer_variant *slm_integer_variant_at(int index);

// The bytes that slm_integer_product needs.
size_t slm_integer_bytes(const struct slm_integer *p, const struct slm_integer_variant *variant);

// Computes the product on up to `threads` threads. `packed` holds slm_integer_bytes bytes, aligned
// to 64. A depth of 0 is not allowed.
void slm_integer_product(
    const struct slm_integer *p, const struct slm_integer_variant *variant, void *packed,
    int threads);

// Rounds a row to codes -128...127, to the nearest, ties to even: x / scale, saturated. Returns
// the scale: the one given, or for 0 the largest magnitude / 127; not a number if x holds one or
// an infinity.
float slm_integer_round(const float *x, int64_t count, float scale, int8_t *codes);
