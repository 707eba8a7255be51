#include "exponential.h"
#include "logits.h"
#include "loss.h"
#include "multiversion.h"

// Columns whose sums run in sixteen lanes before they are added in double.
#define CHUNK 256

// A row whose logits, less the largest and divided by the temperature, give the exponentials.
struct row_sums {
  float largest, reference_largest, scale;
  double all;             // sum of exponentials at temperature 1
  double own, reference;  // the same at the temperature
  double weighted;        // sum of p or q times the logarithm of p over q, before normalization
  double own_part, reference_part;  // of Jensen and Shannon's: KL(q, m) and KL(p, m)
};

SLM_INLINE void store(const slm_v16 *v, int64_t k, int64_t count, float *x) {
  if (k + 16 <= count)
    SLM_STORE16(x + k, *v);
  else
    memcpy(x + k, v, (size_t)(count - k) * 4);
}

// Sums exponentials; leaves them in place of the logits if `keeps`.
SLM_MULTIVERSION static void sum_all(float *x, int64_t count, bool keeps, struct row_sums *s) {
  for (int64_t done = 0; done < count; done += CHUNK) {
    int64_t end = count - done < CHUNK ? count : done + CHUNK;
    slm_v16 sum = {};
    for (int64_t k = done; k < end; k += 16) {
      slm_v16 term;
      load_logits(x, k, count, &term);
      term -= s->largest;
      slm_exp16(&term);
      sum += term;
      if (keeps) store(&term, k, count, x);
    }
    s->all += slm_sum16(&sum);
  }
}

SLM_MULTIVERSION static void sum_pairs(
    const float *x, const float *reference, int64_t count, bool reverse, struct row_sums *s) {
  for (int64_t done = 0; done < count; done += CHUNK) {
    int64_t end = count - done < CHUNK ? count : done + CHUNK;
    slm_v16 own = {}, other = {}, weighted = {};
    for (int64_t k = done; k < end; k += 16) {
      slm_v16 q, p, difference;
      load_logits(x, k, count, &q);
      load_logits(reference, k, count, &p);
      q = (q - s->largest) * s->scale;
      p = (p - s->reference_largest) * s->scale;
      difference = p - q;
      slm_exp16(&q);
      slm_exp16(&p);
      own += q;
      other += p;
      // What the weighting distribution excludes does not count, even where both do.
      slm_v16 weight = reverse ? q : p;
      slm_i16 counts = weight != (slm_v16){};
      weighted += counts ? weight * difference : (slm_v16){};
    }
    s->own += slm_sum16(&own);
    s->reference += slm_sum16(&other);
    s->weighted += slm_sum16(&weighted);
  }
}

// The normalized p and q, the logarithm of p over q, kept finite, and of Jensen and Shannon's m
// over q.
struct lanes {
  slm_v16 p, q, ratio, mixed;
};

struct normal {
  float largest, reference_largest, scale, own, reference, offset, beta;
};

SLM_INLINE void normalize(
    const float *x, const float *reference, int64_t k, int64_t count, const struct normal *n,
    bool mixes, struct lanes *lanes) {
  slm_v16 q, p;
  load_logits(x, k, count, &q);
  load_logits(reference, k, count, &p);
  q = (q - n->largest) * n->scale;
  p = (p - n->reference_largest) * n->scale;
  slm_v16 ratio = p - q - n->offset;
  // exp(80) is far from the end of float32 and beyond any ratio that matters. NaN, where both are
  // excluded, becomes 80 and meets a probability of 0.
  ratio = ratio < 80 ? ratio : (slm_v16){} + 80;
  ratio = ratio > -80 ? ratio : (slm_v16){} - 80;
  slm_exp16(&q);
  slm_exp16(&p);
  lanes->q = q * n->own;
  lanes->p = p * n->reference;
  lanes->ratio = ratio;
  if (!mixes) return;
  slm_exp16(&ratio);
  ratio = ratio * n->beta + (1 - n->beta);
  slm_log16(&ratio);
  lanes->mixed = ratio;
}

SLM_MULTIVERSION static void sum_mixed(
    const float *x, const float *reference, int64_t count, const struct normal *n,
    struct row_sums *s) {
  for (int64_t done = 0; done < count; done += CHUNK) {
    int64_t end = count - done < CHUNK ? count : done + CHUNK;
    slm_v16 own = {}, other = {};
    for (int64_t k = done; k < end; k += 16) {
      struct lanes v;
      normalize(x, reference, k, count, n, true, &v);
      own -= v.q * v.mixed;
      other += v.p * (v.ratio - v.mixed);
    }
    s->own_part += slm_sum16(&own);
    s->reference_part += slm_sum16(&other);
  }
}

SLM_MULTIVERSION static void scale_row(float *x, int64_t count, float factor) {
  for (int64_t k = 0; k < count; k++) x[k] *= factor;
}

// Replaces logits by `factor` times the divergence's gradient and `all` times the exponentials at
// temperature 1; all is 0 without cross-entropy.
SLM_MULTIVERSION static void differentiate_row(
    float *x, const float *reference, int64_t count, const struct normal *n, int divergence,
    float factor, float mean, float all) {
  bool mixes = divergence == SLM_JENSEN_SHANNON;
  for (int64_t k = 0; k < count; k += 16) {
    struct lanes v;
    slm_v16 gradient;
    normalize(x, reference, k, count, n, mixes, &v);
    if (divergence == SLM_FORWARD_KL)
      gradient = v.q - v.p;
    else if (divergence == SLM_REVERSE_KL)
      gradient = v.q * (-v.ratio - mean);
    else
      gradient = v.q * ((n->beta - 1) * v.mixed - mean);
    gradient *= factor;
    if (all != 0) {
      slm_v16 term;
      load_logits(x, k, count, &term);
      term -= n->largest;
      slm_exp16(&term);
      gradient += term * all;
    }
    store(&gradient, k, count, x);
  }
}

static void diverge(
    const struct slm_loss *loss, const struct slm_row *row, float *x, const float *reference,
    struct row_sums *s, struct slm_row_loss *out) {
  bool reverse = loss->divergence == SLM_REVERSE_KL;
  s->reference_largest = largest_of(reference, row->columns);
  s->scale = (float)(1 / loss->temperature);
  sum_pairs(x, reference, row->columns, reverse, s);
  double offset = log(s->reference) - log(s->own), mean = 0;
  struct normal n = {
      s->largest, s->reference_largest, s->scale, (float)(1 / s->own),
      (float)(1 / s->reference), (float)offset, (float)loss->beta};
  if (loss->divergence == SLM_FORWARD_KL) {
    out->divergence = s->weighted / s->reference - offset;
  } else if (reverse) {
    out->divergence = mean = offset - s->weighted / s->own;
  } else {
    sum_mixed(x, reference, row->columns, &n, s);
    mean = (1 - loss->beta) * s->own_part;
    out->divergence = loss->beta * s->reference_part + mean;
  }
  if (!loss->gradient) return;
  differentiate_row(
      x, reference, row->columns, &n, loss->divergence, (float)(row->distance / loss->temperature),
      (float)mean, row->target < 0 ? 0 : (float)(row->cross_entropy / s->all));
}

static void row_loss(
    const struct slm_loss *loss, const struct slm_row *row, float *x, const float *reference,
    struct slm_row_loss *out) {
  struct row_sums s = {.largest = largest_of(x, row->columns)};
  bool diverges = loss->divergence != SLM_NO_DIVERGENCE, has_target = row->target >= 0;
  if (has_target) {
    float chosen = x[row->target];
    if (chosen == s.largest) {
      int64_t first = 0;
      while (x[first] != chosen) first++;
      out->is_first_choice = first == row->target;
    }
    sum_all(x, row->columns, loss->gradient && !diverges, &s);
    out->cross_entropy = log(s.all) + (s.largest - (double)chosen);
  }
  if (diverges)
    diverge(loss, row, x, reference, &s, out);
  else if (loss->gradient && has_target)
    scale_row(x, row->columns, (float)(row->cross_entropy / s.all));
  else if (loss->gradient)
    memset(x, 0, (size_t)row->columns * 4);
  if (loss->gradient && has_target) x[row->target] -= (float)row->cross_entropy;
}

SLM_LOSS_ROWS(float, f32, row_loss)
