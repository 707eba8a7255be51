#include "exponential.h"
#include "logits.h"
#include "loss.h"
#include "multiversion.h"

// Columns whose sums run in sixteen lanes before they are added in double.
#define CHUNK 256

// A row whose logits, less the largest and divided by the temperature, give the exponentials.
struct row_sums {
  float largest;  // of all columns
  float own_largest, reference_largest, scale;  // of the common columns
  double all;             // sum of exponentials at temperature 1
  double own, reference;  // the same at the temperature
  double weighted;        // sum of p or q times the logarithm of p over q, before normalization
  double values, slopes;  // of the terms of the other divergences
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
      q = (q - s->own_largest) * s->scale;
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

// The normalized p and q, the logarithm of p over q, kept finite, and of a mixture m over q that
// ratio and its logarithm.
struct lanes {
  slm_v16 p, q, ratio, mixture, mixed;
};

struct normal {
  float own_largest, reference_largest, scale, own, reference, offset;
  float mixture;  // how much of the mixture is p
  int divergence;
};

SLM_INLINE void normalize(
    const float *x, const float *reference, int64_t k, int64_t count, const struct normal *n,
    bool mixes, struct lanes *lanes) {
  slm_v16 q, p;
  load_logits(x, k, count, &q);
  load_logits(reference, k, count, &p);
  q = (q - n->own_largest) * n->scale;
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
  lanes->mixture = ratio = ratio * n->mixture + (1 - n->mixture);
  slm_log16(&ratio);
  lanes->mixed = ratio;
}

// The terms of a divergence and their slopes, as slm_term_of defines them.
SLM_INLINE void find_terms(
    const struct normal *n, const struct lanes *v, slm_v16 *value, slm_v16 *slope) {
  float c = n->mixture;
  switch (n->divergence) {
    case SLM_FORWARD_KL:
      *value = v->p * v->ratio;
      *slope = -v->p;
      break;
    case SLM_REVERSE_KL:
      *value = *slope = -v->q * v->ratio;
      break;
    case SLM_JENSEN_SHANNON:
      *slope = v->q * ((c - 1) * v->mixed);
      *value = v->p * (c * (v->ratio - v->mixed)) + *slope;
      break;
    case SLM_SKEW_FORWARD:
      *value = v->p * (v->ratio - v->mixed);
      *slope = v->p * (c - 1) / v->mixture;
      break;
    case SLM_SKEW_REVERSE:
      *value = -v->q * v->mixed;
      *slope = *value + v->q * (c - 1) / v->mixture;
      break;
    default: {
      slm_v16 difference = v->q - v->p, half = v->q * 0.5f;
      *value = difference > 0 ? difference * 0.5f : difference * -0.5f;
      *slope = difference > 0 ? half : difference < 0 ? -half : (slm_v16){};
    }
  }
}

SLM_MULTIVERSION static void sum_terms(
    const float *x, const float *reference, int64_t count, const struct normal *n,
    struct row_sums *s) {
  bool mixes = n->divergence != SLM_TOTAL_VARIATION;
  for (int64_t done = 0; done < count; done += CHUNK) {
    int64_t end = count - done < CHUNK ? count : done + CHUNK;
    slm_v16 values = {}, slopes = {};
    for (int64_t k = done; k < end; k += 16) {
      struct lanes v;
      slm_v16 value, slope;
      normalize(x, reference, k, count, n, mixes, &v);
      find_terms(n, &v, &value, &slope);
      values += value;
      slopes += slope;
    }
    s->values += slm_sum16(&values);
    s->slopes += slm_sum16(&slopes);
  }
}

SLM_MULTIVERSION static void scale_row(float *x, int64_t count, float factor) {
  for (int64_t k = 0; k < count; k++) x[k] *= factor;
}

// The sum of exponentials of scale * (x - largest).
SLM_MULTIVERSION static double sum_scaled(
    const float *x, int64_t count, double largest, double scale) {
  float most = (float)largest, factor = (float)scale;
  double all = 0;
  for (int64_t done = 0; done < count; done += CHUNK) {
    int64_t end = count - done < CHUNK ? count : done + CHUNK;
    slm_v16 sum = {};
    for (int64_t k = done; k < end; k += 16) {
      slm_v16 term;
      load_logits(x, k, count, &term);
      term = (term - most) * factor;
      slm_exp16(&term);
      sum += term;
    }
    all += slm_sum16(&sum);
  }
  return all;
}

// Replaces x by `factor` times the exponentials of scale * (x - largest) and `all` times those of
// x - all_largest.
SLM_MULTIVERSION static void fill(
    float *x, int64_t count, double largest, double scale, double factor, double all_largest,
    double all) {
  float most = (float)largest, slope = (float)scale, of_own = (float)factor;
  float all_most = (float)all_largest, of_all = (float)all;
  for (int64_t k = 0; k < count; k += 16) {
    slm_v16 term, gradient = {};
    load_logits(x, k, count, &term);
    if (of_own != 0) {
      gradient = (term - most) * slope;
      slm_exp16(&gradient);
      gradient *= of_own;
    }
    if (of_all != 0) {
      term -= all_most;
      slm_exp16(&term);
      gradient += term * of_all;
    }
    store(&gradient, k, count, x);
  }
}

// Replaces logits by `factor` times the divergence's gradient and `all` times the exponentials at
// temperature 1; all is 0 without cross-entropy.
SLM_MULTIVERSION static void differentiate_row(
    float *x, const float *reference, int64_t count, const struct normal *n, float factor,
    float slopes, float largest, float all) {
  bool mixes = n->divergence >= SLM_JENSEN_SHANNON && n->divergence != SLM_TOTAL_VARIATION;
  for (int64_t k = 0; k < count; k += 16) {
    struct lanes v;
    slm_v16 value, gradient;
    normalize(x, reference, k, count, n, mixes, &v);
    find_terms(n, &v, &value, &gradient);
    gradient = (gradient - v.q * slopes) * factor;
    if (all != 0) {
      slm_v16 term;
      load_logits(x, k, count, &term);
      term -= largest;
      slm_exp16(&term);
      gradient += term * all;
    }
    store(&gradient, k, count, x);
  }
}

static void diverge(
    const struct slm_loss *loss, const struct slm_row *row, float *x, const float *reference,
    struct row_sums *s, struct slm_row_loss *out) {
  int64_t common = loss->common;
  s->own_largest = common == row->columns ? s->largest : largest_of(x, common);
  s->reference_largest = largest_of(reference, common);
  s->scale = (float)(1 / loss->temperature);
  sum_pairs(x, reference, common, loss->divergence == SLM_REVERSE_KL, s);
  double offset = log(s->reference) - log(s->own);
  double mixture = loss->divergence == SLM_SKEW_REVERSE ? 1 - loss->mixture : loss->mixture;
  struct normal n = {
      s->own_largest, s->reference_largest, s->scale, (float)(1 / s->own),
      (float)(1 / s->reference), (float)offset, (float)mixture, loss->divergence};
  if (loss->divergence == SLM_FORWARD_KL) {
    out->divergence = s->weighted / s->reference - offset;
    s->slopes = -1;
  } else if (loss->divergence == SLM_REVERSE_KL) {
    out->divergence = s->slopes = offset - s->weighted / s->own;
  } else {
    sum_terms(x, reference, common, &n, s);
    out->divergence = s->values;
  }
  if (!loss->gradient) return;
  float all = row->target < 0 ? 0 : (float)(row->cross_entropy / s->all);
  differentiate_row(
      x, reference, common, &n, (float)(row->distance / loss->temperature), (float)s->slopes,
      s->largest, all);
  fill(x + common, row->columns - common, 0, 0, 0, s->largest, all);
}

// The cross-entropy of a row that has a target; leaves exponentials if `keeps`.
static void cross_entropy(
    const struct slm_row *row, float *x, bool keeps, struct row_sums *s,
    struct slm_row_loss *out) {
  float chosen = x[row->target];
  if (chosen == s->largest) {
    int64_t first = 0;
    while (x[first] != chosen) first++;
    out->is_first_choice = first == row->target;
  }
  sum_all(x, row->columns, keeps, s);
  out->cross_entropy = log(s->all) + (s->largest - (double)chosen);
}

static void row_loss(
    const struct slm_loss *loss, const struct slm_row *row, float *x, const float *references,
    struct slm_row_loss *out) {
  struct row_sums s = {.largest = largest_of(x, row->columns)};
  bool diverges = loss->divergence != SLM_NO_DIVERGENCE, has_target = row->target >= 0;
  if (has_target) cross_entropy(row, x, loss->gradient && !diverges, &s, out);
  if (diverges)
    diverge(loss, row, x, references + row->index * loss->reference_columns, &s, out);
  else if (loss->gradient && has_target)
    scale_row(x, row->columns, (float)(row->cross_entropy / s.all));
  else if (loss->gradient)
    memset(x, 0, (size_t)row->columns * 4);
  if (loss->gradient && has_target) x[row->target] -= (float)row->cross_entropy;
}

SLM_LARGEST_ROW(diverge_largest, float, largest_of, sum_scaled, fill)

static void largest_row(
    const struct slm_loss *loss, const struct slm_row *row, float *x,
    const struct slm_largest *reference, struct slm_row_loss *out) {
  struct row_sums s = {.largest = largest_of(x, row->columns), .all = 1};
  if (row->target >= 0) {
    s.all = 0;
    cross_entropy(row, x, false, &s, out);
  }
  diverge_largest(loss, row, x, reference, s.largest, row->cross_entropy / s.all, out);
  if (loss->gradient && row->target >= 0) x[row->target] -= (float)row->cross_entropy;
}

SLM_LOSS_ROWS(slm_loss_rows_f32, float, float, row_loss)
SLM_LOSS_ROWS(slm_largest_rows_f32, float, struct slm_largest, largest_row)

// Whether a token comes after another in order of probability.
static bool is_after(const float *x, int32_t a, int32_t b) {
  return x[a] < x[b] || (x[a] == x[b] && a > b);
}

// Moves the first of a heap, whose first comes after all others, to its place.
static void sift(const float *x, int32_t *heap, int64_t count) {
  int32_t moved = heap[0];
  int64_t place = 0;
  for (;;) {
    int64_t next = 2 * place + 1;
    if (next >= count) break;
    if (next + 1 < count && is_after(x, heap[next + 1], heap[next])) next++;
    if (!is_after(x, heap[next], moved)) break;
    heap[place] = heap[next];
    place = next;
  }
  heap[place] = moved;
}

void slm_most_likely(
    const float *logits, int64_t rows, int64_t columns, int64_t stride, double temperature,
    int64_t kept, int32_t *ids, float *probabilities, float *rest) {
  for (int64_t i = 0; i < rows; i++) {
    const float *x = logits + i * stride;
    int32_t *heap = ids + i * kept;
    float *p = probabilities + i * kept, largest = largest_of(x, columns);
    // The first tokens, in the order of a heap, then every token before the last of these.
    for (int64_t k = 0; k < kept; k++) heap[k] = (int32_t)k;
    for (int64_t k = kept / 2 - 1; k >= 0; k--) {
      int64_t place = k;
      for (;;) {
        int64_t next = 2 * place + 1;
        if (next >= kept) break;
        if (next + 1 < kept && is_after(x, heap[next + 1], heap[next])) next++;
        if (!is_after(x, heap[next], heap[place])) break;
        int32_t other = heap[next];
        heap[next] = heap[place];
        heap[place] = other;
        place = next;
      }
    }
    for (int64_t k = kept; k < columns; k++) {
      if (!is_after(x, heap[0], (int32_t)k)) continue;
      heap[0] = (int32_t)k;
      sift(x, heap, kept);
    }
    // The last goes to the end, again and again.
    for (int64_t k = kept - 1; k > 0; k--) {
      int32_t last = heap[0];
      heap[0] = heap[k];
      heap[k] = last;
      sift(x, heap, k);
    }
    double scale = 1 / temperature, all = sum_scaled(x, columns, largest, scale), sum = 0;
    for (int64_t k = 0; k < kept; k++) {
      double share = exp(scale * (x[heap[k]] - largest)) / all;
      p[k] = (float)share;
      sum += share;
    }
    rest[i] = sum < 1 && kept < columns ? (float)(1 - sum) : 0;
  }
}
