#include "attention_tile.h"
#include "exponential.h"
#include "multiversion.h"
#include "slm_parallel.h"

// One query per head: there is nothing to share between queries, so keys and values are read in
// order, and scores are sums across lanes.

SLM_INLINE float score_of(const float *q, const float *k, int64_t begin, int64_t end) {
  float sum = 0;
  for (int64_t c = begin; c < end; c++) sum += q[c] * k[c];
  return sum;
}

// Scores of keys first..<last of a key head for each of its query heads, [group][step].
SLM_MULTIVERSION static void score_keys(
    const struct slm_attention *a, const float *queries, const float *keys, int64_t first,
    int64_t last, int64_t step, float *scores) {
  int64_t group = slm_attention_group(a), channels = a->channels, whole = channels / 16 * 16;
  float scale = (float)a->scale;
  for (int64_t s = first; s < last; s += 4) {
    const float *k[4];
    for (int i = 0; i < 4; i++)
      // Keys beyond the last repeat it; their scores fall into the step's spare places.
      k[i] = keys + (s + i < last ? s + i : last - 1) * a->key_step;
    for (int64_t g = 0; g < group; g++) {
      const float *q = queries + g * channels;
      slm_v16 sum[4] = {};
      for (int64_t c = 0; c < whole; c += 16) {
        slm_v16 query = SLM_LOAD16(q + c);
        for (int i = 0; i < 4; i++) sum[i] += query * SLM_LOAD16(k[i] + c);
      }
      float *out = scores + g * step + s - first;
      slm_sums4(sum, out);
      for (int i = 0; i < 4; i++) out[i] = (out[i] + score_of(q, k[i], whole, channels)) * scale;
    }
  }
}

// Turns scores into exponentials relative to the largest, and returns one over their sum. There
// is room to fill the last vector.
SLM_MULTIVERSION static float exponentiate(float *scores, int64_t count) {
  for (int64_t s = count; s % 16 != 0; s++) scores[s] = -INFINITY;
  slm_v16 most = SLM_LOAD16(scores), sum = {};
  for (int64_t s = 16; s < count; s += 16)
    most = SLM_LARGER16(SLM_LOAD16(scores + s), most);
  float largest = most[0];
  for (int i = 1; i < 16; i++) largest = most[i] > largest ? most[i] : largest;
  for (int64_t s = 0; s < count; s += 16) {
    slm_v16 term = SLM_LOAD16(scores + s) - largest;
    slm_exp16(&term);
    SLM_STORE16(scores + s, term);
    sum += term;
  }
  return 1 / slm_sum16(&sum);
}

// Sums the values of one key head for one of its queries.
SLM_MULTIVERSION static void add_values(
    const float *v, int64_t key_step, int64_t count, const float *scores, float inverse,
    int64_t channels, float *out) {
  int64_t c = 0;
  for (; c + 64 <= channels; c += 64) {
    slm_v16 sum[4] = {};
    for (int64_t s = 0; s < count; s++)
      for (int i = 0; i < 4; i++) sum[i] += scores[s] * SLM_LOAD16(v + s * key_step + c + 16 * i);
    for (int i = 0; i < 4; i++) SLM_STORE16(out + c + 16 * i, sum[i] * inverse);
  }
  for (int64_t i = c; i < channels; i++) out[i] = 0;
  for (int64_t s = 0; s < count; s++)
    for (int64_t i = c; i < channels; i++) out[i] += scores[s] * v[s * key_step + i];
  for (int64_t i = c; i < channels; i++) out[i] *= inverse;
}

void slm_attention_token(const struct slm_attention *a, int64_t begin, int64_t end) {
  int64_t group = slm_attention_group(a), channels = a->channels;
  int64_t first = slm_attention_first_key(a, 0, 0), last = a->start + 1, count = last - first;
  int64_t step = (count + 15) / 16 * 16;
  float *scores = slm_scratch((size_t)(group * step) * sizeof(float));
  for (int64_t unit = begin; unit < end; unit++) {
    int64_t at = slm_attention_keys_at(a, unit), own = unit * group * channels;
    score_keys(a, a->q + own, a->k + at, first, last, step, scores);
    for (int64_t g = 0; g < group; g++) {
      float inverse = exponentiate(scores + g * step, count);
      add_values(
          a->v + at + first * a->key_step, a->key_step, count, scores + g * step, inverse,
          channels, a->out + own + g * channels);
    }
  }
}
