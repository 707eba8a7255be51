#pragma once

#include <stddef.h>
#include <stdint.h>

// One step of an optimizer over part of a parameter: one pass over the parameter, its gradient and
// what the optimizer keeps. Settings are computed in double and rounded once to the elements' type.
// Products and sums are rounded one by one, so that every CPU gives the same bits.

typedef struct {
  double keep;             // what decoupled decay leaves of the parameter: 1 - rate * decay
  double gradient_scale;   // factor of the gradient
  double first_weight;     // 1 - beta1
  double beta2;
  double second_weight;    // 1 - beta2
  double root_correction;  // sqrt(1 - beta2^step)
  double epsilon;
  double step_size;        // rate / (1 - beta1^step)
} slm_adamw;

typedef struct { double keep, gradient_scale, beta1, beta2, rate; } slm_lion;

typedef struct {
  double decay, gradient_scale, momentum, rate;
  int nesterov;
} slm_sgd;

#define SLM_OPTIMIZER(REAL, SUFFIX)                                                             \
  void slm_adamw_##SUFFIX(                                                                      \
      slm_adamw settings, const REAL *gradient, int64_t count, REAL *parameter, REAL *first,    \
      REAL *second);                                                                            \
  void slm_lion_##SUFFIX(                                                                       \
      slm_lion settings, const REAL *gradient, int64_t count, REAL *parameter, REAL *momentum); \
  /* `velocity` is null without momentum. */                                                    \
  void slm_sgd_##SUFFIX(                                                                        \
      slm_sgd settings, const REAL *gradient, int64_t count, REAL *parameter, REAL *velocity);  \
  /* y[i] += weight * (x[i] - y[i]), computed from x's side where weight is half or more. */    \
  void slm_approach_##SUFFIX(double weight, const REAL *x, int64_t count, REAL *y);

SLM_OPTIMIZER(float, f32)
SLM_OPTIMIZER(double, f64)
#undef SLM_OPTIMIZER

// Elements that share a scale.
#define SLM_MOMENT_BLOCK 256
// Magnitudes from 2^-24 to 1 by exponent and seven bits of fraction, and a cell for 1 itself.
#define SLM_MOMENT_CELLS 3073
#define SLM_MOMENT_FIRST_CELL 13184

// The 256 values of a code, rising, and how to find the one nearest to a number in -1...1.
typedef struct {
  const float *values;
  // Halfway between each value and the next; infinity after the last.
  const float *middles;
  // For each cell of magnitudes the code of its lowest number: of positive numbers, then of
  // negative ones. No cell reaches over two middles.
  const uint8_t *starts;
} slm_moment_map;

// AdamW with both moments as codes, each block's times its scale. `count` may end within a block.
void slm_adamw_blocks(
    slm_adamw settings, slm_moment_map first_map, slm_moment_map second_map,
    const float *gradient, int64_t count, float *parameter, uint8_t *first, float *first_scales,
    uint8_t *second, float *second_scales);

// The code nearest to each number in -1...1, the lower one of two.
void slm_moment_codes(slm_moment_map map, const float *numbers, int64_t count, uint8_t *codes);
