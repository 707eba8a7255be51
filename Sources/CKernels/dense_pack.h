#pragma once

#include "slm_dense.h"

// Packs depth first..<last of the slices of `width` that hold rows begin..<end of a factor, zero
// beyond its extent, times `scale`. `begin` is a multiple of the width. Slice s goes to
// out + s * slice_words, its words [depth][width]. Of pairs `first` is even, and an odd end
// of the depth is filled with zero.
void slm_dense_pack(
    const struct slm_factor *factor, bool pairs, int64_t width, int64_t begin, int64_t end,
    int64_t first, int64_t last, float scale, void *out, int64_t slice_words);
