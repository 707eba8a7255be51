#include "multiversion.h"
#include "product_blocks.h"
#include "product_dots.h"
#include "slm_blocks.h"
#include "slm_parallel.h"
#include "slm_product.h"

SLM_DEFINE_DOTS(dots_f32, SLM_NO_SCALE, SLM_LOAD_F32)
SLM_DEFINE_DOTS(dots_f16, SLM_NO_SCALE, SLM_LOAD_F16)
SLM_DEFINE_DOTS(dots_bf16, SLM_NO_SCALE, SLM_LOAD_BF16)
SLM_DEFINE_DOTS(dots_i8, SLM_NO_SCALE, SLM_LOAD_I8)
SLM_DEFINE_DOTS(dots_codes4, SLM_NO_SCALE, SLM_LOAD_CODES4)

typedef void dots_function(
    const void *const *w, const struct slm_codes *codes, const float *x, int64_t x_step,
    int64_t rows, int64_t depth, float *dots);

// The function that widens in registers, or NULL where rows are better widened first.
static dots_function *direct_dots(const struct slm_matrix *m, int64_t rows) {
  if (m->storage == SLM_ELEMENTS && m->type == SLM_FLOAT32) return dots_f32;
  // Beyond four rows of x the weight would be widened more than once.
  if (rows > 4) return NULL;
  if (m->storage == SLM_ELEMENTS) {
    if (m->type == SLM_FLOAT16) return dots_f16;
    if (m->type == SLM_BFLOAT16) return dots_bf16;
    return m->type == SLM_INT8 ? dots_i8 : NULL;
  }
  if (m->storage == SLM_BLOCKS) return NULL;
  bool fits = m->bits == 4 && m->offsets == NULL && m->group % 16 == 0;
  return fits && m->columns % 16 == 0 ? dots_codes4 : NULL;
}

static void widen_groups(
    const struct slm_matrix *m, int64_t row, float *scales, float *zeros) {
  const char *from = (const char *)m->scales;
  int64_t size = m->scale_type == SLM_FLOAT32 ? 4 : 2;
  slm_widen(m->scale_type, from + row * m->groups * size, m->groups, scales);
  for (int64_t g = 0; g < m->groups; g++)
    zeros[g] = m->zeros == NULL ? (float)(1 << (m->bits - 1)) : m->zeros[row * m->groups + g];
}

// What is left of a row when sixteen columns do not divide it.
static float tail(const void *row, int type, const float *x, int64_t begin, int64_t end) {
  float widened[16], sum = 0;
  int64_t size = type == SLM_FLOAT32 ? 4 : type == SLM_INT8 ? 1 : 2;
  slm_widen(type, (const char *)row + begin * size, end - begin, widened);
  for (int64_t k = begin; k < end; k++) sum += widened[k - begin] * x[k];
  return sum;
}

// Four streams of short rows are more than the processor's own prefetching follows; asking for
// rows up to 32 KiB ahead doubles what is read from memory in a second. An address beyond the
// matrix does no harm.
static inline void prefetch_rows(const struct slm_matrix *m, int64_t n) {
  if (m->row_bytes >= 2048) return;
  int64_t bytes = SLM_DOTS_TOGETHER * m->row_bytes, ahead = (32 << 10) / bytes;
  ahead = ahead < 1 ? 1 : ahead > 4 ? 4 : ahead;
  const char *rows = (const char *)m->data + n * m->row_bytes + ahead * bytes;
  for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(rows + b);
}

// Vectors that cross a line of the cache are read twice, so that a line is left for alignment.
#define LINE 64

static float *aligned(const float *prepared) {
  return (float *)(((uintptr_t)prepared + LINE - 1) / LINE * LINE);
}

int64_t slm_prepared_floats(const struct slm_product *p) {
  bool fits = p->weight->storage == SLM_BLOCKS && p->rows <= 4
           && slm_block_dots_of(p->weight->format) != NULL;
  return fits ? p->rows * (p->depth / 32 * SLM_PREPARED) + LINE / 4 : 0;
}

void slm_prepare(const struct slm_product *p, const float *x, int64_t x_step, float *prepared) {
  for (int64_t i = 0; i < p->rows; i++)
    slm_prepare_row(
        p->weight->format, x + i * x_step, p->depth,
        aligned(prepared) + i * (p->depth / 32 * SLM_PREPARED));
}

// How many bytes ahead memory is asked for: far enough that it arrives in time, near enough that
// little of a matrix comes without having been asked for.
#define AHEAD 2048

static void product_of_blocks(const struct slm_product *p, int64_t begin, int64_t end) {
  const struct slm_matrix *m = p->weight;
  slm_block_dots *dots_of = slm_block_dots_of(m->format);
  const float *prepared = aligned(p->prepared);
  for (int64_t n = begin; n < end; n += SLM_DOTS_TOGETHER) {
    int64_t count = end - n < SLM_DOTS_TOGETHER ? end - n : SLM_DOTS_TOGETHER;
    const void *w[SLM_DOTS_TOGETHER];
    for (int64_t r = 0; r < SLM_DOTS_TOGETHER; r++)
      w[r] = (const char *)m->data + (n + (r < count ? r : count - 1)) * m->row_bytes;
    float dots[4 * SLM_DOTS_TOGETHER];
    dots_of(w, prepared, p->depth / 32 * SLM_PREPARED, p->rows, p->depth, AHEAD, dots);
    for (int64_t j = 0; j < p->rows; j++)
      for (int64_t r = 0; r < count; r++)
        p->y[j * p->y_step + n + r] = dots[4 * j + r] + (p->bias != NULL ? p->bias[n + r] : 0);
  }
}

void slm_product_rows(
    const struct slm_product *p, const float *x, int64_t x_step, int64_t begin, int64_t end) {
  if (p->prepared != NULL) return product_of_blocks(p, begin, end);
  const struct slm_matrix *m = p->weight;
  dots_function *direct = direct_dots(m, p->rows);
  dots_function *dots_of = direct != NULL ? direct : dots_f32;
  bool has_codes = direct == dots_codes4;
  int64_t whole = p->depth / 16 * 16, step = (p->depth + 15) / 16 * 16 + 16;
  int64_t row_floats = has_codes ? 2 * m->groups : direct == NULL ? step : 0;
  float *scratch = slm_scratch((size_t)(SLM_DOTS_TOGETHER * row_floats) * sizeof(float));
  for (int64_t n = begin; n < end; n += SLM_DOTS_TOGETHER) {
    int64_t count = end - n < SLM_DOTS_TOGETHER ? end - n : SLM_DOTS_TOGETHER;
    prefetch_rows(m, n);
    const void *w[SLM_DOTS_TOGETHER];
    struct slm_codes codes = {.group = m->group};
    for (int64_t r = 0; r < SLM_DOTS_TOGETHER; r++) {
      // Rows beyond the last repeat it, and their products are dropped.
      int64_t row = r < count ? r : count - 1;
      float *own = scratch + row * row_floats;
      if (has_codes) {
        codes.scales[r] = own;
        codes.zeros[r] = own + m->groups;
        if (r < count) widen_groups(m, n + r, own, own + m->groups);
      }
      if (direct != NULL) {
        w[r] = (const char *)m->data + (n + row) * m->row_bytes;
      } else {
        w[r] = own;
        if (r < count) slm_matrix_widen(m, n + r, 0, p->depth, own);
      }
    }
    for (int64_t i = 0; i < p->rows; i += 4) {
      int64_t rows = p->rows - i < 4 ? p->rows - i : 4;
      float dots[4 * SLM_DOTS_TOGETHER];
      dots_of(w, &codes, x + i * x_step, x_step, rows, p->depth, dots);
      for (int64_t j = 0; j < rows; j++)
        for (int64_t r = 0; r < count; r++) {
          float sum = dots[4 * j + r];
          if (whole < p->depth)
            sum += tail(
                w[r], direct != NULL ? m->type : SLM_FLOAT32, x + (i + j) * x_step, whole,
                p->depth);
          p->y[(i + j) * p->y_step + n + r] = sum + (p->bias != NULL ? p->bias[n + r] : 0);
        }
    }
  }
}
