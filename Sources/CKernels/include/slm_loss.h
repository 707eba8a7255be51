#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How far a row's distribution q = softmax(logits / T) is from the reference's p.
enum slm_divergence {
  SLM_NO_DIVERGENCE,
  SLM_FORWARD_KL,      // sum of p log(p / q)
  SLM_REVERSE_KL,      // sum of q log(q / p)
  SLM_JENSEN_SHANNON,  // beta KL(p, m) + (1 - beta) KL(q, m) with m = beta p + (1 - beta) q
};

// The loss of a row: cross_entropy * -log softmax(logits)[target] + distance * divergence.
struct slm_loss {
  double cross_entropy, distance;
  int divergence;  // an slm_divergence
  double temperature, beta;
  bool gradient;  // whether logits are replaced by the gradient
};

// What is known of a row afterwards, without any factor.
struct slm_row_loss {
  double cross_entropy, divergence;
  bool is_first_choice;  // whether the target is the first column with the largest logit
};

// Computes the losses of `rows` rows of logits and replaces them by weights[row] times the gradient
// of the row's loss if asked. reference has the shape of the logits, or is NULL without divergence.
// targets may be NULL without cross-entropy; a target that is negative counts as if the row had
// none. Where the weight is 0, the row's losses and gradient are 0.
#define SLM_LOSS(REAL, SUFFIX)                                                             \
  void slm_loss_rows_##SUFFIX(                                                             \
      const struct slm_loss *loss, int64_t rows, int64_t columns, REAL *logits,            \
      const REAL *reference, const int32_t *targets, const double *weights,                \
      struct slm_row_loss *out);

SLM_LOSS(float, f32)
SLM_LOSS(double, f64)
#undef SLM_LOSS
