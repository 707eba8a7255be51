#pragma once

#include <math.h>
#include <string.h>

#include "multiversion.h"
#include "slm_loss.h"

// One row that counts, its weight included in the factors.
struct slm_row {
  int64_t index, columns;
  int64_t target;  // -1 for none
  double cross_entropy, distance;
};

// Calls ROW for each row that counts and clears the others.
#define SLM_LOSS_ROWS(NAME, REAL, REFERENCE, ROW)                                                \
  void NAME(                                                                                     \
      const struct slm_loss *loss, int64_t rows, int64_t columns, REAL *logits,                  \
      const REFERENCE *reference, const int32_t *targets, const double *weights,                 \
      struct slm_row_loss *out) {                                                                \
    for (int64_t i = 0; i < rows; i++) {                                                         \
      REAL *x = logits + i * columns;                                                            \
      out[i] = (struct slm_row_loss){0};                                                         \
      if (weights[i] == 0) {                                                                     \
        if (loss->gradient) memset(x, 0, (size_t)columns * sizeof(REAL));                        \
        continue;                                                                                \
      }                                                                                          \
      int64_t target = targets == NULL ? -1 : targets[i];                                        \
      struct slm_row row = {                                                                     \
          i, columns, target, target < 0 ? 0 : loss->cross_entropy * weights[i],                 \
          loss->distance * weights[i]};                                                          \
      ROW(loss, &row, x, reference, &out[i]);                                                    \
    }                                                                                            \
  }

// The logarithm of a sum of exponentials.
static inline double slm_log_add(double a, double b) {
  double largest = a > b ? a : b;
  return largest == -INFINITY ? largest : largest + log(exp(a - largest) + exp(b - largest));
}

// One outcome's term of the divergence, 0 where its probability is, and the derivative of the
// divergence by the logarithm of q for a q that need not sum to 1, but for a multiple of q.
struct slm_term {
  double value, slope;
};

static inline struct slm_term slm_term_of(
    const struct slm_loss *loss, double log_p, double log_q) {
  double p = exp(log_p), q = exp(log_q), c = loss->mixture, log_m;
  struct slm_term t = {0, 0};
  switch (loss->divergence) {
    case SLM_FORWARD_KL:
      t.value = p == 0 ? 0 : p * (log_p - log_q);
      t.slope = -p;
      break;
    case SLM_REVERSE_KL:
      t.value = t.slope = q == 0 ? 0 : q * (log_q - log_p);
      break;
    case SLM_JENSEN_SHANNON:
      log_m = slm_log_add(log(c) + log_p, log1p(-c) + log_q);
      t.slope = q == 0 ? 0 : (1 - c) * q * (log_q - log_m);
      t.value = (p == 0 ? 0 : c * p * (log_p - log_m)) + t.slope;
      break;
    case SLM_SKEW_FORWARD:
      if (p == 0) break;
      log_m = slm_log_add(log(c) + log_p, log1p(-c) + log_q);
      t.value = p * (log_p - log_m);
      t.slope = -(1 - c) * p * exp(log_q - log_m);
      break;
    case SLM_SKEW_REVERSE:
      if (q == 0) break;
      log_m = slm_log_add(log1p(-c) + log_p, log(c) + log_q);
      t.value = q * (log_q - log_m);
      t.slope = t.value - q * c * exp(log_q - log_m);
      break;
    case SLM_TOTAL_VARIATION:
      t.value = 0.5 * fabs(p - q);
      t.slope = q > p ? 0.5 * q : q < p ? -0.5 * q : 0;
      break;
  }
  return t;
}

// A row whose reference is known by its most likely tokens. SUM(x, count, largest, scale) is the
// sum of exponentials of scale * (x - largest); FILL(x, count, largest, scale, factor, all_largest,
// all) replaces x by factor times these plus all times the exponentials of x - all_largest.
//
// The tokens of the reference are taken out of the row while all others are summed, so that a
// small rest is no difference of large numbers.
#define SLM_LARGEST_ROW(NAME, REAL, LARGEST_OF, SUM, FILL)                                        \
  static void NAME(                                                                               \
      const struct slm_loss *loss, const struct slm_row *row, REAL *x,                            \
      const struct slm_largest *reference, double all_largest, double all,                        \
      struct slm_row_loss *out) {                                                                 \
    int64_t count = reference->count;                                                             \
    const int32_t *ids = reference->columns + row->index * count;                                 \
    const float *p = reference->probabilities + row->index * count;                               \
    double scale = 1 / loss->temperature, largest = LARGEST_OF(x, loss->common);                  \
    REAL chosen[SLM_MOST_LARGEST];                                                                \
    struct slm_term terms[SLM_MOST_LARGEST];                                                      \
    double sum = 0, slopes = 0;                                                                   \
    for (int64_t k = 0; k < count; k++) {                                                         \
      chosen[k] = x[ids[k]];                                                                      \
      x[ids[k]] = -INFINITY;                                                                      \
      sum += exp(scale * (chosen[k] - largest));                                                  \
    }                                                                                             \
    double rest = SUM(x, loss->common, largest, scale);                                           \
    double log_sum = log(sum + rest);                                                             \
    for (int64_t k = 0; k < count; k++) {                                                         \
      terms[k] = slm_term_of(loss, log(p[k]), scale * (chosen[k] - largest) - log_sum);           \
      out->divergence += terms[k].value;                                                          \
      slopes += terms[k].slope;                                                                   \
    }                                                                                             \
    /* The logarithm of the rest is kept finite where the student has none. */                    \
    double log_rest = log(reference->rest[row->index]), log_own = log(rest) - log_sum;            \
    if (log_own < log_rest - 80) log_own = log_rest - 80;                                         \
    struct slm_term of_rest = slm_term_of(loss, log_rest, log_own);                               \
    out->divergence += of_rest.value;                                                             \
    slopes += of_rest.slope;                                                                      \
    if (!loss->gradient) {                                                                        \
      for (int64_t k = 0; k < count; k++) x[ids[k]] = chosen[k];                                  \
      return;                                                                                     \
    }                                                                                             \
    double factor = row->distance * scale, total = sum + rest;                                    \
    double of_others = (rest > 0 ? of_rest.slope / rest : 0) - slopes / total;                    \
    FILL(x, loss->common, largest, scale, factor * of_others, all_largest, all);                  \
    FILL(x + loss->common, row->columns - loss->common, largest, scale, 0, all_largest, all);     \
    for (int64_t k = 0; k < count; k++) {                                                         \
      double own = exp(scale * (chosen[k] - largest)) / total;                                    \
      x[ids[k]] = (REAL)(factor * (terms[k].slope - own * slopes) +                               \
                         (all == 0 ? 0 : all * exp(chosen[k] - all_largest)));                    \
    }                                                                                             \
  }
