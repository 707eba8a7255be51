#include "integer_rows.h"

#include "integer_pack.h"
#include "slm_blocks.h"
#include "slm_parallel.h"
#include "vectors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#pragma STDC FP_CONTRACT OFF

#define TOGETHER 4

// Four rows of codes and one of x. Groups are multiples of 32 codes.
struct dots {
  const uint8_t *w[TOGETHER];
  int64_t w_step;       // bytes from group to group
  uint8_t flip;         // turns a stored code into a signed one by exclusive or
  const int8_t *x;
  int64_t groups, group;
  const float *scales;  // [groups][4]
};

// Writes the scaled sums of each row's groups.
typedef void dots_function(const struct dots *d, float sums[TOGETHER]);

static void dots_portable(const struct dots *d, float sums[TOGETHER]) {
  for (int r = 0; r < TOGETHER; r++) {
    float total = 0;
    for (int64_t g = 0; g < d->groups; g++) {
      const uint8_t *w = d->w[r] + g * d->w_step;
      const int8_t *x = d->x + g * d->group;
      int32_t sum = 0;
      for (int64_t k = 0; k < d->group; k++) sum += (int32_t)(int8_t)(w[k] ^ d->flip) * x[k];
      float part = (float)sum * d->scales[TOGETHER * g + r];
      total = g == 0 ? part : total + part;
    }
    sums[r] = total;
  }
}

static dots_function *dots_of = dots_portable;

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void dots_avx2(const struct dots *d, float sums[TOGETHER]) {
  const __m128i flip = _mm_set1_epi8((char)d->flip);
  __m128 total = _mm_setzero_ps();
  for (int64_t g = 0; g < d->groups; g++) {
    __m256i sum[TOGETHER] = {};
    for (int64_t k = 0; k < d->group; k += 16) {
      const __m128i *codes = (const __m128i *)(d->x + g * d->group + k);
      __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128(codes));
      for (int r = 0; r < TOGETHER; r++) {
        const __m128i *stored = (const __m128i *)(d->w[r] + g * d->w_step + k);
        // Four streams of short rows are more than the processor's own prefetching follows.
        __builtin_prefetch((const char *)stored + 4096);
        __m256i w = _mm256_cvtepi8_epi16(_mm_xor_si128(_mm_loadu_si128(stored), flip));
        sum[r] = _mm256_add_epi32(sum[r], _mm256_madd_epi16(w, x));
      }
    }
    __m256i all = _mm256_hadd_epi32(
        _mm256_hadd_epi32(sum[0], sum[1]), _mm256_hadd_epi32(sum[2], sum[3]));
    __m128i four = _mm_add_epi32(
        _mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    __m128 part = _mm_mul_ps(_mm_cvtepi32_ps(four), _mm_loadu_ps(d->scales + TOGETHER * g));
    total = g == 0 ? part : _mm_add_ps(total, part);
  }
  _mm_storeu_ps(sums, total);
}

__attribute__((constructor)) static void choose_dots(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) dots_of = dots_avx2;
}
#endif

bool slm_integer_is_narrow(const struct slm_integer *p) { return p->rows <= 15; }

struct narrow {
  const struct slm_integer *p;
  struct slm_integer_layout layout;
  bool is_direct;  // whether codes are read where they are stored
  int8_t *codes;   // of x
  float *scales;   // of x
};

static bool is_direct(const struct slm_matrix *m) {
  if (m->storage == SLM_BLOCKS) return m->format == SLM_BLOCK_Q8_0;
  if (m->columns % 32 != 0) return false;
  if (m->storage == SLM_ELEMENTS) return true;
  return m->bits == 8 && (m->groups == 1 || (m->group % 32 == 0 && m->columns % m->group == 0));
}

size_t slm_integer_narrow_bytes(const struct slm_integer *p) {
  return (size_t)(p->rows * (slm_integer_layout(p->weight, 32).length + 4));
}

// Outputs 4 * begin..<4 * end.
static void multiply_outputs(void *context, int64_t begin, int64_t end) {
  const struct narrow *r = context;
  const struct slm_integer *p = r->p;
  const struct slm_matrix *m = p->weight;
  int64_t groups = r->layout.groups, length = r->layout.length;
  float *scales = slm_scratch((size_t)(TOGETHER * groups * 4 + TOGETHER * length));
  int8_t *codes = (int8_t *)(scales + TOGETHER * groups);
  struct dots d = {.groups = groups, .group = r->layout.padded, .scales = scales};
  d.w_step = r->is_direct && m->storage == SLM_BLOCKS ? 34 : r->layout.padded;
  d.flip = r->is_direct && m->storage == SLM_CODES ? 128 : 0;
  int64_t skip = m->storage == SLM_BLOCKS ? 2 : 0;
  for (int64_t n = TOGETHER * begin; n < TOGETHER * end && n < p->outputs; n += TOGETHER) {
    int64_t count = p->outputs - n < TOGETHER ? p->outputs - n : TOGETHER;
    for (int64_t i = 0; i < TOGETHER; i++) {
      // Rows beyond the last repeat it, and their products are dropped.
      int64_t row = n + (i < count ? i : count - 1);
      slm_matrix_scales(m, row, 0, groups, scales + i, TOGETHER);
      if (r->is_direct) {
        d.w[i] = (const uint8_t *)m->data + row * m->row_bytes + skip;
      } else {
        d.w[i] = (uint8_t *)codes + i * length;
        slm_integer_codes(m, &r->layout, row, 0, groups, codes + i * length);
      }
    }
    for (int64_t i = 0; i < p->rows; i++) {
      float sums[TOGETHER];
      d.x = r->codes + i * length;
      dots_of(&d, sums);
      for (int64_t j = 0; j < count; j++) {
        float y = sums[j] * r->scales[i];
        p->y[i * p->y_step + n + j] = p->bias != NULL ? y + p->bias[n + j] : y;
      }
    }
  }
}

void slm_integer_narrow_product(const struct slm_integer *p, void *bytes, int threads) {
  struct narrow r = {.p = p, .layout = slm_integer_layout(p->weight, 32)};
  r.is_direct = is_direct(p->weight);
  r.codes = bytes;
  r.scales = (float *)((char *)bytes + p->rows * r.layout.length);
  for (int64_t i = 0; i < p->rows; i++)
    r.scales[i] = slm_integer_round_row(p, &r.layout, i, r.codes + i * r.layout.length);
  // A part of 32 KiB of codes takes some microseconds.
  int64_t parts = (p->outputs + TOGETHER - 1) / TOGETHER;
  int64_t least = (1 << 13) / (p->depth * p->rows) + 1;
  int64_t even = (parts + 4 * threads - 1) / (4 * threads);
  slm_parallel(threads, parts, even > least ? even : least, &r, multiply_outputs);
}
