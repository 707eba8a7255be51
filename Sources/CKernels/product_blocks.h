#pragma once

#include <stddef.h>
#include <stdint.h>

// Dot products of four rows of GGUF blocks with one to four rows of x. Of a sub-block,
//
//     value = d * (code - middle)  or  d * code + m
//
// the codes alone are multiplied by x; d, the middle and m are applied to what comes of them:
//
//     dot = d * (sum of code * x - middle * sum of x)  or  d * sum of code * x + m * sum of x
//
// Codes become numbers where they lie: of a lane with four of them in its bytes, the other three
// are masked and the rest converted, which makes byte k 256^k times too large. Prepared x is as
// much smaller, and in the order in which codes come so. Both are exact.

// Floats of prepared x for 32 columns: four vectors of eight, and eight sums. Column 4 l + k is
// lane l of vector k, and the sum of the four is lane l of the last, times minus the code of zero
// in formats that have one.
#define SLM_PREPARED 40

// Prepares `depth` columns of one row of x for a format.
void slm_prepare_row(int format, const float *x, int64_t depth, float *prepared);

// Writes dots[i][r] for `rows` rows of prepared x, at most four, and rows w[r]. Memory `ahead`
// bytes behind what is read is asked for.
typedef void slm_block_dots(
    const void *const *w, const float *x, int64_t x_step, int64_t rows, int64_t depth,
    int64_t ahead, float *dots);

// The function of a format for this machine's CPU, or NULL for a format that is not listed.
slm_block_dots *slm_block_dots_of(int format);
