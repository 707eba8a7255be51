#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slm_matrix.h"

// A factor of a product, [extent, depth] whichever way it lies: element (i, k) is at
// data[i * step + k * depth_step], and one of the steps is 1.
struct slm_factor {
  const float *data;
  int64_t extent, step, depth_step;
};

// The product c[rows, columns] (+)= scale * a[rows, depth] * b[columns, depth]^T (+ bias).
struct slm_dense {
  struct slm_factor a, b;
  const struct slm_matrix *weight;  // b in stored form instead of b.data, or NULL
  int64_t depth;
  float scale;
  const float *bias;  // [columns], or NULL
  float *c;
  int64_t c_step;   // elements between rows of c
  bool accumulate;  // adds to what c holds; else c need not be initialized
  bool only_lower;  // computes columns 0...row of each row of c, and of the others those it likes
};

// How tiles of the product are computed. Tiles take packed factors: slices of a, [depth][rows], and
// of b, [depth][columns], as 32-bit words. A word is one float, or two bfloat16 neighbours along
// the depth, so that the depth in words is half as long.
struct slm_dense_variant {
  const char *name;
  int64_t rows, columns;  // of a tile
  bool pairs;             // whether words are pairs of bfloat16
  // c (+)= the product of two slices `words` long (+ bias), for a whole tile.
  void (*tile)(
      int64_t words, const void *a, const void *b, float *c, int64_t c_step, const float *bias,
      bool accumulate);
};

// The variants that this machine's CPU can run, best first for each kind of words; NULL from the
// last on. `pairs` asks for those with bfloat16 pairs; they end with one that emulates the CPU's
// dot products exactly and slowly, for tests.
const struct slm_dense_variant *slm_dense_variant_at(bool pairs, int index);

// Whether this CPU multiplies pairs of bfloat16 (AVX512_BF16).
bool slm_has_bfloat16(void);

// The bytes that slm_dense_product needs for packed words.
size_t slm_dense_bytes(const struct slm_dense *product, const struct slm_dense_variant *variant);

// Computes the product on up to `threads` threads. `packed` holds slm_dense_bytes bytes, aligned
// to 64. Every element of c is summed by one thread in one order, whatever their number.
void slm_dense_product(
    const struct slm_dense *product, const struct slm_dense_variant *variant, void *packed,
    int threads);
