#include "slm_statistics.h"

#include "exponential.h"
#include "logits.h"
#include "multiversion.h"

#define CHUNK 256

void slm_running_start(struct slm_running *running, int64_t rows) {
  for (int64_t row = 0; row < rows; row++)
    running[row] = (struct slm_running){
        .largest = -INFINITY, .reference_largest = -INFINITY, .first = -1, .reference_first = -1,
        .target = NAN, .reference_target = NAN};
}

// Sums run in sixteen lanes over 256 columns and then in double.
SLM_MULTIVERSION static double sum_exponentials(const float *x, int64_t count, float largest) {
  double total = 0;
  for (int64_t done = 0; done < count; done += CHUNK) {
    int64_t end = count - done < CHUNK ? count : done + CHUNK;
    slm_v16 sum = {};
    for (int64_t k = done; k < end; k += 16) {
      slm_v16 term;
      load_logits(x, k, count, &term);
      term -= largest;
      slm_exp16(&term);
      sum += term;
    }
    total += slm_sum16(&sum);
  }
  return total;
}

// The reference's exponentials, and their sum weighted by how far the logits fall short of it.
SLM_MULTIVERSION static double sum_differences(
    const float *reference, const float *logits, int64_t count, float largest, double *weighted) {
  double total = 0;
  for (int64_t done = 0; done < count; done += CHUNK) {
    int64_t end = count - done < CHUNK ? count : done + CHUNK;
    slm_v16 sum = {}, products = {};
    for (int64_t k = done; k < end; k += 16) {
      slm_v16 r, l;
      load_logits(reference, k, count, &r);
      load_logits(logits, k, count, &l);
      slm_v16 term = r - largest, difference = r - l;
      slm_exp16(&term);
      sum += term;
      // What the reference excludes does not count, even where the logits exclude it too.
      slm_i16 counts = term != (slm_v16){};
      products += counts ? term * difference : (slm_v16){};
    }
    total += slm_sum16(&sum);
    *weighted += slm_sum16(&products);
  }
  return total;
}

SLM_MULTIVERSION static int64_t first_equal(const float *x, int64_t count, float value) {
  int64_t k = 0;
  for (; k + 16 <= count; k += 16) {
    slm_i16 equal = SLM_LOAD16(x + k) == value;
    if (__builtin_reduce_or(equal)) break;
  }
  for (; k < count; k++)
    if (x[k] == value) return k;
  return 0;
}

static void add_row(
    struct slm_running *r, int64_t columns, int64_t offset, const float *x,
    const float *reference) {
  float most = largest_of(x, columns);
  if (most > r->largest) {
    r->sum *= exp(r->largest - most);
    r->largest = most;
    r->first = offset + first_equal(x, columns, most);
  }
  if (r->largest > -INFINITY) r->sum += sum_exponentials(x, columns, (float)r->largest);
  if (reference == NULL) return;
  most = largest_of(reference, columns);
  if (most > r->reference_largest) {
    double factor = exp(r->reference_largest - most);
    r->reference_sum *= factor;
    r->difference *= factor;
    r->reference_largest = most;
    r->reference_first = offset + first_equal(reference, columns, most);
  }
  if (r->reference_largest == -INFINITY) return;
  double weighted = 0;
  r->reference_sum +=
      sum_differences(reference, x, columns, (float)r->reference_largest, &weighted);
  r->difference += weighted;
}

void slm_running_add(
    struct slm_running *running, int64_t rows, int64_t columns, int64_t offset, int64_t step,
    const float *logits, const float *reference, const int32_t *targets) {
  for (int64_t row = 0; row < rows; row++) {
    const float *x = logits + row * step;
    const float *other = reference == NULL ? NULL : reference + row * step;
    int64_t target = targets == NULL ? -1 : targets[row] - offset;
    if (target >= 0 && target < columns) {
      running[row].target = x[target];
      if (other != NULL) running[row].reference_target = other[target];
    }
    add_row(&running[row], columns, offset, x, other);
  }
}
