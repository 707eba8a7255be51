#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How far a row's distribution q = softmax(logits / T) is from the reference's p.
enum slm_divergence {
  SLM_NO_DIVERGENCE,
  SLM_FORWARD_KL,       // sum of p log(p / q)
  SLM_REVERSE_KL,       // sum of q log(q / p)
  SLM_JENSEN_SHANNON,   // beta KL(p, m) + (1 - beta) KL(q, m) with m = beta p + (1 - beta) q
  SLM_SKEW_FORWARD,     // KL(p, m) with m = alpha p + (1 - alpha) q
  SLM_SKEW_REVERSE,     // KL(q, m) with m = (1 - alpha) p + alpha q
  SLM_TOTAL_VARIATION,  // half the sum of |p - q|
};

// The loss of a row: cross_entropy * -log softmax(logits)[target] + distance * divergence.
struct slm_loss {
  double cross_entropy, distance;
  int divergence;  // an slm_divergence
  double temperature;
  double mixture;    // Jensen and Shannon's beta, or the alpha of a skewed divergence
  int64_t common;    // both distributions of the divergence are over this many first columns
  int64_t reference_columns;  // columns of a row of reference logits, no fewer
  bool gradient;     // whether logits are replaced by the gradient
};

// The most likely tokens of a reference at the temperature, `count` a row.
struct slm_largest {
  int64_t count;               // SLM_MOST_LARGEST at most
  const int32_t *columns;      // different ones in a row, below `common`
  const float *probabilities;
  const float *rest;           // one a row: the probability of all other columns together
};

#define SLM_MOST_LARGEST 1024

// What is known of a row afterwards, without any factor.
struct slm_row_loss {
  double cross_entropy, divergence;
  bool is_first_choice;  // whether the target is the first column with the largest logit
};

// Computes the losses of `rows` rows of logits and replaces them by weights[row] times the gradient
// of the row's loss if asked. reference holds logits, or is NULL without divergence. targets may
// be NULL without cross-entropy; a target that is negative counts as if the row had none. Where
// the weight is 0, the row's losses and gradient are 0.
//
// slm_largest_rows takes a reference of which the most likely tokens are known: p and q are then
// distributions over these and the rest as one outcome.
#define SLM_LOSS(REAL, SUFFIX)                                                             \
  void slm_loss_rows_##SUFFIX(                                                             \
      const struct slm_loss *loss, int64_t rows, int64_t columns, REAL *logits,            \
      const REAL *reference, const int32_t *targets, const double *weights,                \
      struct slm_row_loss *out);                                                           \
  void slm_largest_rows_##SUFFIX(                                                          \
      const struct slm_loss *loss, int64_t rows, int64_t columns, REAL *logits,            \
      const struct slm_largest *reference, const int32_t *targets, const double *weights,  \
      struct slm_row_loss *out);

SLM_LOSS(float, f32)
SLM_LOSS(double, f64)
#undef SLM_LOSS

// Finds the `kept` most likely of `columns` tokens of each of `rows` rows of logits at a
// temperature, the more likely and of equals the first token first, as slm_largest has them.
// `kept` is at most `columns` and SLM_MOST_LARGEST; rows of logits lie `stride` apart.
void slm_most_likely(
    const float *logits, int64_t rows, int64_t columns, int64_t stride, double temperature,
    int64_t kept, int32_t *ids, float *probabilities, float *rest);
