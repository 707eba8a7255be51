#include "loss.h"

static double largest_of(const double *x, int64_t count) {
  double largest = -INFINITY;
  for (int64_t k = 0; k < count; k++) largest = x[k] > largest ? x[k] : largest;
  return largest;
}

static double sum_scaled(const double *x, int64_t count, double largest, double scale) {
  double sum = 0;
  for (int64_t k = 0; k < count; k++) sum += exp(scale * (x[k] - largest));
  return sum;
}

static double log_sum(const double *x, int64_t count, double scale) {
  double largest = largest_of(x, count);
  return scale * largest + log(sum_scaled(x, count, largest, scale));
}

static void fill(
    double *x, int64_t count, double largest, double scale, double factor, double all_largest,
    double all) {
  for (int64_t k = 0; k < count; k++) {
    double gradient = factor == 0 ? 0 : factor * exp(scale * (x[k] - largest));
    x[k] = gradient + (all == 0 ? 0 : all * exp(x[k] - all_largest));
  }
}

// The cross-entropy of a row; returns the logarithm of the sum of exponentials.
static double cross_entropy(
    const struct slm_row *row, const double *x, struct slm_row_loss *out) {
  if (row->target < 0) return 0;
  double all = log_sum(x, row->columns, 1);
  out->cross_entropy = all - x[row->target];
  out->is_first_choice = true;
  for (int64_t k = 0; k < row->columns; k++)
    if (x[k] > x[row->target] || (x[k] == x[row->target] && k < row->target))
      out->is_first_choice = false;
  return all;
}

static void row_loss(
    const struct slm_loss *loss, const struct slm_row *row, double *x, const double *references,
    struct slm_row_loss *out) {
  const double *reference =
      references == NULL ? NULL : references + row->index * loss->reference_columns;
  double scale = 1 / loss->temperature, log_q = 0, log_p = 0, slopes = 0;
  double all = cross_entropy(row, x, out);
  bool diverges = loss->divergence != SLM_NO_DIVERGENCE;
  if (diverges) {
    log_q = log_sum(x, loss->common, scale);
    log_p = log_sum(reference, loss->common, scale);
    for (int64_t k = 0; k < loss->common; k++) {
      struct slm_term t = slm_term_of(loss, scale * reference[k] - log_p, scale * x[k] - log_q);
      out->divergence += t.value;
      slopes += t.slope;
    }
  }
  if (!loss->gradient) return;
  for (int64_t k = 0; k < row->columns; k++) {
    double gradient = 0;
    if (diverges && k < loss->common) {
      double of_q = scale * x[k] - log_q;
      struct slm_term t = slm_term_of(loss, scale * reference[k] - log_p, of_q);
      gradient = row->distance * scale * (t.slope - exp(of_q) * slopes);
    }
    if (row->target >= 0) gradient += row->cross_entropy * exp(x[k] - all);
    x[k] = gradient;
  }
  if (row->target >= 0) x[row->target] -= row->cross_entropy;
}

SLM_LARGEST_ROW(diverge_largest, double, largest_of, sum_scaled, fill)

static void largest_row(
    const struct slm_loss *loss, const struct slm_row *row, double *x,
    const struct slm_largest *reference, struct slm_row_loss *out) {
  double all = cross_entropy(row, x, out);
  diverge_largest(loss, row, x, reference, all, row->cross_entropy, out);
  if (loss->gradient && row->target >= 0) x[row->target] -= row->cross_entropy;
}

SLM_LOSS_ROWS(slm_loss_rows_f64, double, double, row_loss)
SLM_LOSS_ROWS(slm_largest_rows_f64, double, struct slm_largest, largest_row)
