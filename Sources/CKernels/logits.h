#pragma once

#include <math.h>

#include "multiversion.h"
#include "vectors.h"

// The largest logit of a row, -infinity if there are none.
SLM_MULTIVERSION static float largest_of(const float *x, int64_t count) {
  slm_v16 largest = (slm_v16){} - INFINITY;
  int64_t k = 0;
  for (; k + 16 <= count; k += 16) largest = SLM_LARGER16(SLM_LOAD16(x + k), largest);
  float most = -INFINITY;
  for (int i = 0; i < 16; i++) most = largest[i] > most ? largest[i] : most;
  for (; k < count; k++) most = x[k] > most ? x[k] : most;
  return most;
}

// Sixteen logits from column k, -infinity beyond the last.
SLM_INLINE void load_logits(const float *x, int64_t k, int64_t count, slm_v16 *v) {
  if (k + 16 <= count) {
    *v = SLM_LOAD16(x + k);
  } else {
    *v = (slm_v16){} - INFINITY;
    memcpy(v, x + k, (size_t)(count - k) * 4);
  }
}
