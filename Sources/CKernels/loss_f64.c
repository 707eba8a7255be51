#include <math.h>
#include <string.h>

#include "loss.h"

static double log_sum(const double *x, int64_t count, double scale) {
  double largest = -INFINITY, sum = 0;
  for (int64_t k = 0; k < count; k++) largest = x[k] > largest ? x[k] : largest;
  for (int64_t k = 0; k < count; k++) sum += exp(scale * (x[k] - largest));
  return scale * largest + log(sum);
}

// The logarithm of a sum of exponentials.
static double log_add(double a, double b) {
  double largest = a > b ? a : b;
  return largest == -INFINITY ? largest : largest + log(exp(a - largest) + exp(b - largest));
}

// One column's term of the divergence, 0 where its probability is, and the derivative of the
// divergence by the logarithm of q for a q that need not sum to 1.
struct term {
  double value, slope;
};

static struct term term_of(const struct slm_loss *loss, double log_p, double log_q) {
  double p = exp(log_p), q = exp(log_q), beta = loss->beta;
  struct term t = {0, 0};
  if (loss->divergence == SLM_FORWARD_KL) {
    t.value = p == 0 ? 0 : p * (log_p - log_q);
    t.slope = -p;
  } else if (loss->divergence == SLM_REVERSE_KL) {
    t.value = q == 0 ? 0 : q * (log_q - log_p);
    t.slope = t.value;
  } else {
    double log_m = log_add(log(beta) + log_p, log1p(-beta) + log_q);
    t.slope = q == 0 ? 0 : (1 - beta) * q * (log_q - log_m);
    t.value = (p == 0 ? 0 : beta * p * (log_p - log_m)) + t.slope;
  }
  return t;
}

static void row_loss(
    const struct slm_loss *loss, const struct slm_row *row, double *x, const double *reference,
    struct slm_row_loss *out) {
  double scale = 1 / loss->temperature, all = 0, log_q = 0, log_p = 0, slopes = 0;
  if (row->target >= 0) {
    all = log_sum(x, row->columns, 1);
    out->cross_entropy = all - x[row->target];
    out->is_first_choice = true;
    for (int64_t k = 0; k < row->columns; k++)
      if (x[k] > x[row->target] || (x[k] == x[row->target] && k < row->target))
        out->is_first_choice = false;
  }
  bool diverges = loss->divergence != SLM_NO_DIVERGENCE;
  if (diverges) {
    log_q = log_sum(x, row->columns, scale);
    log_p = log_sum(reference, row->columns, scale);
    for (int64_t k = 0; k < row->columns; k++) {
      struct term t = term_of(loss, scale * reference[k] - log_p, scale * x[k] - log_q);
      out->divergence += t.value;
      slopes += t.slope;
    }
  }
  if (!loss->gradient) return;
  for (int64_t k = 0; k < row->columns; k++) {
    double gradient = 0;
    if (diverges) {
      double of_q = scale * x[k] - log_q;
      struct term t = term_of(loss, scale * reference[k] - log_p, of_q);
      gradient = row->distance * scale * (t.slope - exp(of_q) * slopes);
    }
    if (row->target >= 0) gradient += row->cross_entropy * exp(x[k] - all);
    x[k] = gradient;
  }
  if (row->target >= 0) x[row->target] -= row->cross_entropy;
}

SLM_LOSS_ROWS(double, f64, row_loss)
