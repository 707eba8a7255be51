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
// x comes in integers of 16 bits with a scale for each 32 columns, so that codes are multiplied as
// integers too: of 32 codes in the bytes of eight lanes, those of even columns are masked to words,
// those of odd ones moved down, and each is multiplied and added in pairs by one instruction. Sums
// of 32 products are exact. What x loses is at most 1/65534 of the largest of 32, 256 times less
// than in integers of 8 bits.

// Floats of prepared x for 32 columns. Sixteen words with columns 4 l and 4 l + 2 of lane l after
// each other, sixteen with columns 4 l + 1 and 4 l + 3; the sums of each lane's four columns, in
// integers times minus the code of zero for formats that have one, in floats for the others; and
// what integers are multiplied by.
#define SLM_PREPARED 32
#define SLM_PREPARED_SUMS 16
#define SLM_PREPARED_SCALE 24

// Prepares `depth` columns of one row of x for a format.
void slm_prepare_row(int format, const float *x, int64_t depth, float *prepared);

// Writes dots[i][r] for `rows` rows of prepared x, at most four, and rows w[r]. Memory `ahead`
// bytes behind what is read is asked for.
typedef void slm_block_dots(
    const void *const *w, const float *x, int64_t x_step, int64_t rows, int64_t depth,
    int64_t ahead, float *dots);

// The function of a format for this machine's CPU, or NULL for a format that is not listed.
slm_block_dots *slm_block_dots_of(int format);
