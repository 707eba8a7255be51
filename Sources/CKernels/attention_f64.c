#include <math.h>
#include <string.h>

#include "attention_tile.h"
#include "multiversion.h"
#include "slm_parallel.h"

// Written plainly: double precision is for checking gradients, not for speed.

// Writes the softmax of the scores of keys first..<last.
SLM_MULTIVERSION static void find_probabilities(
    const struct slm_attention *a, const double *q, const double *k, int64_t first, int64_t last,
    double *probabilities) {
  double largest = -INFINITY, sum = 0;
  for (int64_t s = first; s < last; s++) {
    double score = 0;
    for (int64_t c = 0; c < a->channels; c++) score += q[c] * k[s * a->key_step + c];
    probabilities[s - first] = score * a->scale;
    largest = score * a->scale > largest ? score * a->scale : largest;
  }
  for (int64_t s = 0; s < last - first; s++) {
    probabilities[s] = exp(probabilities[s] - largest);
    sum += probabilities[s];
  }
  for (int64_t s = 0; s < last - first; s++) probabilities[s] /= sum;
}

SLM_MULTIVERSION static void add_values(
    const struct slm_attention *a, const double *probabilities, const double *v, int64_t first,
    int64_t last, double *out) {
  for (int64_t c = 0; c < a->channels; c++) out[c] = 0;
  for (int64_t s = first; s < last; s++)
    for (int64_t c = 0; c < a->channels; c++)
      out[c] += probabilities[s - first] * v[s * a->key_step + c];
}

void slm_attention_rows_f64(
    const struct slm_attention *a, const double *q, const double *k, const double *v, double *out,
    int64_t begin, int64_t end) {
  double *probabilities = slm_scratch((size_t)a->keys * sizeof(double));
  for (int64_t row = begin; row < end; row++) {
    int64_t head = row % a->heads / slm_attention_group(a), token = row / a->heads % a->tokens;
    int64_t sequence = row / a->heads / a->tokens;
    int64_t first = slm_attention_first_key(a, sequence, token), last = a->start + token + 1;
    int64_t at = slm_attention_keys_at(a, sequence * a->key_heads + head);
    find_probabilities(a, q + row * a->channels, k + at, first, last, probabilities);
    add_values(a, probabilities, v + at, first, last, out + row * a->channels);
  }
}

struct rows_f64 {
  const double *q, *k, *v, *out_gradient;
  double *q_gradient, *k_gradient, *v_gradient;
};

// Adds what one query contributes; `changes` has room for the gradients of its probabilities.
SLM_MULTIVERSION static void differentiate_row(
    const struct slm_attention *a, const struct rows_f64 *r, int64_t first, int64_t last,
    const double *probabilities, double *changes) {
  double product = 0;
  for (int64_t s = first; s < last; s++) {
    const double *v = r->v + s * a->key_step;
    double *v_gradient = r->v_gradient + s * a->key_step, p = probabilities[s - first], sum = 0;
    for (int64_t c = 0; c < a->channels; c++) {
      sum += r->out_gradient[c] * v[c];
      v_gradient[c] += p * r->out_gradient[c];
    }
    changes[s - first] = sum;
    product += p * sum;
  }
  for (int64_t c = 0; c < a->channels; c++) r->q_gradient[c] = 0;
  for (int64_t s = first; s < last; s++) {
    const double *k = r->k + s * a->key_step;
    double *k_gradient = r->k_gradient + s * a->key_step;
    double change = a->scale * probabilities[s - first] * (changes[s - first] - product);
    for (int64_t c = 0; c < a->channels; c++) {
      r->q_gradient[c] += change * k[c];
      k_gradient[c] += change * r->q[c];
    }
  }
}

void slm_attention_differentiate_f64(
    const struct slm_attention *a, const double *q, const double *k, const double *v,
    const double *out_gradient, double *q_gradient, double *k_gradient, double *v_gradient,
    int64_t begin, int64_t end) {
  int64_t group = slm_attention_group(a), channels = a->channels;
  double *probabilities = slm_scratch((size_t)(2 * a->keys) * sizeof(double));
  for (int64_t unit = begin; unit < end; unit++) {
    int64_t at = slm_attention_keys_at(a, unit), sequence = unit / a->key_heads;
    for (int64_t s = 0; s < a->keys; s++) {
      memset(k_gradient + at + s * a->key_step, 0, (size_t)channels * sizeof(double));
      memset(v_gradient + at + s * a->key_step, 0, (size_t)channels * sizeof(double));
    }
    for (int64_t row = 0; row < a->tokens * group; row++) {
      int64_t token = row / group, head = unit % a->key_heads * group + row % group;
      int64_t first = slm_attention_first_key(a, sequence, token), last = a->start + token + 1;
      int64_t own = ((sequence * a->tokens + token) * a->heads + head) * channels;
      struct rows_f64 rows = {q + own,          k + at,          v + at,         out_gradient + own,
                              q_gradient + own, k_gradient + at, v_gradient + at};
      find_probabilities(a, rows.q, rows.k, first, last, probabilities);
      differentiate_row(a, &rows, first, last, probabilities, probabilities + a->keys);
    }
  }
}
