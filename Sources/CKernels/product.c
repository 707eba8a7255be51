#include "slm_product.h"

#include "multiversion.h"
#include "product_tile.h"
#include "slm_parallel.h"

// Blocks of the depth are at most this long, so that a widened block of 96 outputs (384 KiB) and
// the panel that is swept stay in a second cache of 1 MiB. A multiple of 256, the longest block
// of the block formats.
#define DEPTH 1024

// Copies rows begin..<begin + count of the weight, columns first..<last, widened. A transposed
// weight stays depth-major, [depth][SLM_OUTPUTS].
static void widen_block(
    const struct slm_matrix *weight, int64_t begin, int64_t count, int64_t first, int64_t last,
    int64_t step, float *out) {
  if (!weight->transposed) {
    for (int64_t n = 0; n < count; n++)
      slm_matrix_widen(weight, begin + n, first, last, out + n * step);
    return;
  }
  for (int64_t k = first; k < last; k++)
    memcpy(
        out + (k - first) * SLM_OUTPUTS,
        (const char *)weight->data + k * weight->row_bytes + begin * 4, (size_t)count * 4);
}

struct target {
  float *y;  // the first row and output of the tile
  int64_t step, rows, outputs;
  const float *bias;
  bool accumulate;
};

// Adds a tile [outputs][48] to rows of y, transposed.
SLM_MULTIVERSION static void store_tile(const float *tile, const struct target *to) {
  for (int64_t v = 0; v < to->rows; v += 16)
    for (int64_t n = 0; n < to->outputs; n += 16) {
      int64_t rows = to->rows - v < 16 ? to->rows - v : 16;
      int64_t outputs = to->outputs - n < 16 ? to->outputs - n : 16;
      slm_v16 block[16], bias = {};
#pragma clang loop unroll(full)
      for (int i = 0; i < 16; i++) block[i] = SLM_LOAD16(tile + (n + i) * SLM_PANEL + v);
      slm_transpose16(block);
      if (to->bias != NULL) memcpy(&bias, to->bias + n, (size_t)outputs * 4);
      float *y = to->y + v * to->step + n;
      if (rows == 16 && outputs == 16) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) {
          slm_v16 sum = block[i] + bias;
          if (to->accumulate) sum += SLM_LOAD16(y + i * to->step);
          SLM_STORE16(y + i * to->step, sum);
        }
      } else {
        for (int64_t i = 0; i < rows; i++) {
          slm_v16 old = {};
          if (to->accumulate) memcpy(&old, y + i * to->step, (size_t)outputs * 4);
          old += block[i] + bias;
          memcpy(y + i * to->step, &old, (size_t)outputs * 4);
        }
      }
    }
}

static void multiply_block(
    const struct slm_product *p, int64_t begin, int64_t count, float *weights, float *tile) {
  int64_t parts = (p->depth + DEPTH - 1) / DEPTH;
  int64_t length = ((p->depth + parts - 1) / parts + 255) / 256 * 256;
  for (int64_t first = 0; first < p->depth; first += length) {
    int64_t last = first + length < p->depth ? first + length : p->depth;
    // Not a multiple of 4 KiB: rows that many bytes apart would share few places in the cache.
    int64_t step = (last - first + 15) / 16 * 16 + 16;
    widen_block(p->weight, begin, count, first, last, step, weights);
    for (int64_t row = 0; row < p->rows; row += SLM_PANEL) {
      int64_t rows = p->rows - row < SLM_PANEL ? p->rows - row : SLM_PANEL;
      const float *panel = p->panels + row * p->depth + first * SLM_PANEL;
      bool transposed = p->weight->transposed;
      slm_sweep(
          (int)((rows + 15) / 16), count, last - first, panel, weights, transposed ? 1 : step,
          transposed ? SLM_OUTPUTS : 1, tile, false);
      struct target target = {
          p->y + row * p->y_step + begin, p->y_step, rows, count,
          first == 0 && p->bias != NULL ? p->bias + begin : NULL, p->accumulate || first > 0};
      store_tile(tile, &target);
    }
  }
}

void slm_product_panels(const struct slm_product *p, int64_t begin, int64_t end) {
  int64_t depth = p->depth < DEPTH ? p->depth : DEPTH;
  size_t weights = (size_t)SLM_OUTPUTS * (size_t)((depth + 15) / 16 * 16 + 16);
  float *scratch = slm_scratch((weights + SLM_OUTPUTS * SLM_PANEL) * sizeof(float));
  for (; begin < end; begin += SLM_OUTPUTS) {
    int64_t count = end - begin < SLM_OUTPUTS ? end - begin : SLM_OUTPUTS;
    multiply_block(p, begin, count, scratch, scratch + weights);
  }
}
