#include "include/slm_gptq.h"

#include <math.h>

#include "multiversion.h"
#include "vectors.h"

// Chooses the scales of a block for the values and weights in the scratch.
SLM_INLINE void slm_choose_block(
    const struct slm_gptq *problem, struct slm_gptq_row *row, int64_t index, int64_t count) {
  const float *values = row->scratch, *weights = row->scratch + problem->span;
  uint8_t *block = row->blocks + index * problem->block_bytes;
  slm_blocks_choose(problem->block_format, values, weights, row->mean_square, count, block);
  float scales[16], offsets[16];
  slm_blocks_grid(problem->block_format, block, count, scales, offsets);
  const int64_t parts = count / problem->part;
  const float first = problem->levels ? problem->levels[0] : 0;
  for (int64_t i = 0; i < parts; i++) {
    float *grid = row->grids + 3 * (index * (problem->span / problem->part) + i);
    grid[0] = scales[i];
    grid[1] = first;
    grid[2] = offsets[i];
  }
}

// The code of the level nearest to a number, of rising levels the greater one of two.
SLM_INLINE int slm_nearest_level(const float *levels, int count, double x) {
  int code = 0;
  while (code + 1 < count && x * 2 >= (double)levels[code] + (double)levels[code + 1]) code++;
  return code;
}

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
    // What stays zero is exact on every grid, whatever it was corrected by.
    values[column] = row->held && row->held[p] ? 0 : (float)row->weights[p];
    weights[column] = (float)(1 / (diagonal * diagonal) / largest);
  }
  if (problem->block_format) {
    slm_choose_block(problem, row, index, count);
    return;
  }
  float *grid = row->grids + 3 * index;
  slm_weighted_grid(
      &problem->rounding, values, weights, count, index, row->scales, row->zeros, row->offsets,
      grid);
  grid[1] = -grid[1];
}

SLM_MULTIVERSION
double slm_gptq_positions(
    const struct slm_gptq *problem, struct slm_gptq_row *row, int64_t begin, int64_t end,
    double *restrict errors) {
  const double top = (double)(problem->code_count - 1);
  double loss = 0;
  double *restrict weights = row->weights;
  for (int64_t p = begin; p < end; p++) {
    if (p % problem->span == 0) slm_choose_span(problem, row, p);
    const int64_t column = problem->order[p];
    const float *grid = row->grids + 3 * (column / problem->part);
    const float scale = grid[0], first = grid[1], offset = grid[2];
    const double weight = weights[p];
    const bool is_free = scale != 0 && !(row->held && row->held[p]);
    const double steps = is_free ? (weight - (double)offset) / (double)scale : 0;
    float level;
    if (problem->is_uneven) {
      const int code = slm_nearest_level(problem->levels, problem->code_count, steps);
      row->codes[column] = (uint8_t)code;
      level = problem->levels[code];
    } else {
      double code = rint(steps) - (double)first;
      code = code > 0 ? code : 0;
      code = code < top ? code : top;
      row->codes[column] = (uint8_t)code;
      level = (float)code + first;
    }
    const float value = scale * level + offset;
    const double *restrict factor = problem->factor + p * problem->columns;
    const double error = (weight - (double)value) / factor[p];
    errors[p - begin] = error;
    loss += error * error;
    for (int64_t k = p + 1; k < end; k++) weights[k] -= error * factor[k];
  }
  return loss;
}
