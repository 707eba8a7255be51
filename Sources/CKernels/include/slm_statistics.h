#pragma once

#include <stddef.h>
#include <stdint.h>

// What is known of one row's distribution over the vocabulary after some slices of its logits.
struct slm_running {
  double largest, sum;                      // sum of exp(logit - largest)
  double target;                            // the target's logit, once its slice has been seen
  int64_t first;                            // the first column with the largest logit
  double reference_largest, reference_sum;  // the same of the reference
  double reference_target;
  int64_t reference_first;
  double difference;  // sum of exp(reference - reference_largest) * (reference - logit)
};

// Starts `rows` rows.
void slm_running_start(struct slm_running *running, int64_t rows);

// Takes in columns offset..<offset + columns of each row's logits, and of the reference's unless
// that is NULL. targets[row] is a column of the whole vocabulary, or negative for none; may be
// NULL. The rows of both lie `step` elements apart.
void slm_running_add(
    struct slm_running *running, int64_t rows, int64_t columns, int64_t offset, int64_t step,
    const float *logits, const float *reference, const int32_t *targets);
