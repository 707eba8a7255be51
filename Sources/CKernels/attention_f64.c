#include <math.h>

#include "multiversion.h"
#include "slm_attention.h"
#include "slm_parallel.h"

// Written plainly: double precision is for checking gradients, not for speed.
SLM_MULTIVERSION static void attend_row(
    const struct slm_attention *a, const double *q, const double *k, const double *v,
    int64_t first, int64_t last, double *scores, double *out) {
  double largest = -INFINITY, sum = 0;
  for (int64_t s = first; s < last; s++) {
    double score = 0;
    for (int64_t c = 0; c < a->channels; c++) score += q[c] * k[s * a->key_step + c];
    scores[s - first] = score * a->scale;
    largest = scores[s - first] > largest ? scores[s - first] : largest;
  }
  for (int64_t c = 0; c < a->channels; c++) out[c] = 0;
  for (int64_t s = first; s < last; s++) {
    double p = exp(scores[s - first] - largest);
    sum += p;
    for (int64_t c = 0; c < a->channels; c++) out[c] += p * v[s * a->key_step + c];
  }
  for (int64_t c = 0; c < a->channels; c++) out[c] /= sum;
}

void slm_attention_rows_f64(
    const struct slm_attention *a, const double *q, const double *k, const double *v, double *out,
    int64_t begin, int64_t end) {
  double *scores = slm_scratch((size_t)(a->keys + 1) * sizeof(double));
  for (int64_t row = begin; row < end; row++) {
    int64_t head = row % a->heads * a->key_heads / a->heads;
    int64_t last = a->start + row / a->heads + 1;
    int64_t first = a->window > 0 && last > a->window ? last - a->window : 0;
    attend_row(
        a, q + row * a->channels, k + head * a->channels, v + head * a->channels, first, last,
        scores, out + row * a->channels);
  }
}
