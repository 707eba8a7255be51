#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Choosing which weights become zero, by scores of which the least go first. Scores are not
// negative; of equal ones the first goes. Masks hold 1 where a weight goes and 0 elsewhere.

// Marks the `zeros` least of some scores. `scratch` holds as many floats as there are scores.
void slm_mask_least(
    const float *scores, int64_t count, int64_t zeros, float *scratch, uint8_t *mask);

// Marks the `zeros` least of every `group` neighbouring scores; `count` is a multiple of `group`,
// which is at most 64.
void slm_mask_groups(
    const float *scores, int64_t count, int64_t group, int64_t zeros, uint8_t *mask);

// Writes |weight| * factor, or |weight| for no factors. What is not a number becomes infinity.
void slm_scores(const float *weights, const float *factors, int64_t count, float *scores);

// Adds the squares of the scores of each run of `width` neighbours to its sum; the last run may be shorter.
void slm_run_sums(const float *scores, int64_t count, int64_t width, double *sums);

// Sets to zero what the mask marks, and adds to sums[0] the squares of what went, to sums[1] those
// of all.
void slm_apply_mask(float *weights, const uint8_t *mask, int64_t count, double *sums);

// Counts weights by bits of their magnitudes: by the upper 16 if `upper` is negative, otherwise by
// the lower 16 of those with these upper ones. Magnitudes are in the order of their bits.
void slm_magnitude_counts(
    const float *weights, int64_t count, int32_t upper, int64_t *counts);

// Marks weights whose magnitude has bits less than `threshold`, and the first *equals that have
// just these, of which *equals is counted down.
void slm_mask_below(
    const float *weights, int64_t count, uint32_t threshold, int64_t *equals, uint8_t *mask);

// The number of zeros.
int64_t slm_count_zeros(const float *weights, int64_t count);

// How many scores are greater than a number.
int64_t slm_count_above(const float *scores, int64_t count, float limit);

// A row of a matrix whose weights are set to zero column by column, each making up for what it took
// with the columns to come.
struct slm_sparse_row {
  double *weights;     // [columns]; those to come are corrected
  uint8_t *mask;       // [columns]
  double *errors;      // [end - begin] of a call
};

// Takes columns begin..<end. `factor` is U of inverse(H) = U^T U, [columns, columns]. With a group,
// the mask of each is chosen when its first column is reached, by |weight| * factors; without
// (group 0) it is given.
void slm_sparse_columns(
    const struct slm_sparse_row *row, const double *factor, const float *factors, int64_t columns,
    int64_t begin, int64_t end, int64_t group, int64_t zeros);

// Bits of `count` numbers, of each byte the lowest first: 1 for what is not zero; a last byte is
// filled with zeros.
void slm_nonzero_bits(const float *values, int64_t count, uint8_t *bits);

// Clears the bits of what a mask marks.
void slm_clear_marked(const uint8_t *mask, int64_t count, uint8_t *bits);

// Sets to zero the numbers whose bits are 0.
void slm_clear_unset(const uint8_t *bits, int64_t count, float *values);

// The number of bits that are 1.
int64_t slm_count_bits(const uint8_t *bits, int64_t count);

// Of a row of `count` elements of `size` bytes (1, 2 or 4), writes a bit for each, 1 if any of its
// bits is set, and one after another those elements. Either may be NULL. Returns how many these
// are.
int64_t slm_bitmask_split(
    const void *row, int64_t count, int64_t size, uint8_t *bits, void *values);

// The reverse of slm_bitmask_split. Returns how many values were used.
int64_t slm_bitmask_join(
    const uint8_t *bits, int64_t count, int64_t size, const void *values, void *row);

// Makes each code of a row its distance from the code of zero, modulo 2^bits, so that zero is 0; or
// with `back` the reverse. `zeros` are the codes of zero of groups of `group` codes, or NULL for
// the middle code.
void slm_codes_from_zero(
    uint8_t *codes, int64_t count, const uint8_t *zeros, int64_t group, int bits, bool back);

// Of a row of bytes, a multiple of four with at most two of every four other than 0, writes where
// these are and one after another these, two of every four. The pair of places of a group of four
// is a number from 0 to 5, (0,1) (0,2) (0,3) (1,2) (1,3) (2,3); three pairs fill a byte,
// p + 6 q + 36 r. Places that are needed to make two are the first that there are. Either may be
// NULL. Returns the first group that has more, or -1.
int64_t slm_pairs_split(const uint8_t *row, int64_t count, uint8_t *pairs, uint8_t *values);

// The reverse of slm_pairs_split.
void slm_pairs_join(const uint8_t *pairs, int64_t count, const uint8_t *values, uint8_t *row);

// The first byte that slm_pairs_split cannot have written for a row of `count`, or -1.
int64_t slm_pairs_invalid(const uint8_t *pairs, int64_t count);
