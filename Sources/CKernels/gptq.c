#include "include/slm_gptq.h"

#include <math.h>

#include "multiversion.h"
#include "vectors.h"

// Chooses the grid of the span that begins at position `first`, for the weights as they are now.
//
// An error at a position costs its square over that of the factor's diagonal, once the columns to
// come have made up for it as well as they can: that is its weight in the search.
SLM_INLINE void slm_choose_span(
    const struct slm_gptq *problem, struct slm_gptq_row *row, int64_t first) {
  const int64_t left = problem->columns - first;
  const int64_t count = left < problem->span ? left : problem->span;
  const int64_t index = problem->order[first] / problem->span, base = index * problem->span;
  float *values = row->scratch, *weights = row->scratch + problem->span;
  double largest = 0;
  for (int64_t p = first; p < first + count; p++) {
    const double diagonal = problem->factor[p * problem->columns + p];
    const double weight = 1 / (diagonal * diagonal);
    if (weight > largest) largest = weight;
  }
  for (int64_t p = first; p < first + count; p++) {
    const double diagonal = problem->factor[p * problem->columns + p];
    const int64_t column = problem->order[p] - base;
    values[column] = (float)row->weights[p];
    weights[column] = (float)(1 / (diagonal * diagonal) / largest);
  }
  slm_weighted_grid(
      &problem->rounding, values, weights, count, index, row->scales, row->zeros, row->offsets,
      row->grids + 3 * index);
}

SLM_MULTIVERSION
double slm_gptq_positions(
    const struct slm_gptq *problem, struct slm_gptq_row *row, int64_t begin, int64_t end,
    double *restrict errors) {
  const double top = (double)((1 << problem->rounding.bits) - 1);
  double loss = 0;
  double *restrict weights = row->weights;
  for (int64_t p = begin; p < end; p++) {
    if (p % problem->span == 0) slm_choose_span(problem, row, p);
    const int64_t column = problem->order[p];
    const float *grid = row->grids + 3 * (column / problem->span);
    const float scale = grid[0], zero = grid[1], offset = grid[2];
    const double weight = weights[p];
    const double steps = scale != 0 ? rint((weight - (double)offset) / (double)scale) : 0;
    double code = steps + (double)zero;
    code = code > 0 ? code : 0;
    code = code < top ? code : top;
    row->codes[column] = (uint8_t)code;
    const float value = scale * ((float)code - zero) + offset;
    const double *restrict factor = problem->factor + p * problem->columns;
    const double error = (weight - (double)value) / factor[p];
    errors[p - begin] = error;
    loss += error * error;
    for (int64_t k = p + 1; k < end; k++) weights[k] -= error * factor[k];
  }
  return loss;
}
