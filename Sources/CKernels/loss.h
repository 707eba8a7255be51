#pragma once

#include "slm_loss.h"

// One row that counts, its weight included in the factors.
struct slm_row {
  int64_t columns;
  int64_t target;  // -1 for none
  double cross_entropy, distance;
};

// Calls ROW for each row that counts and clears the others.
#define SLM_LOSS_ROWS(REAL, SUFFIX, ROW)                                                         \
  void slm_loss_rows_##SUFFIX(                                                                   \
      const struct slm_loss *loss, int64_t rows, int64_t columns, REAL *logits,                  \
      const REAL *reference, const int32_t *targets, const double *weights,                      \
      struct slm_row_loss *out) {                                                                \
    for (int64_t i = 0; i < rows; i++) {                                                         \
      REAL *x = logits + i * columns;                                                            \
      out[i] = (struct slm_row_loss){0};                                                         \
      if (weights[i] == 0) {                                                                     \
        if (loss->gradient) memset(x, 0, (size_t)columns * sizeof(REAL));                        \
        continue;                                                                                \
      }                                                                                          \
      int64_t target = targets == NULL ? -1 : targets[i];                                        \
      struct slm_row row = {                                                                     \
          columns, target, target < 0 ? 0 : loss->cross_entropy * weights[i],                    \
          loss->distance * weights[i]};                                                          \
      ROW(loss, &row, x, reference == NULL ? NULL : reference + i * columns, &out[i]);           \
    }                                                                                            \
  }
