#include "dense_pack.h"

#include "multiversion.h"
#include "vectors.h"

typedef uint32_t slm_u8 __attribute__((ext_vector_type(8)));
typedef float slm_v8u __attribute__((ext_vector_type(8), aligned(1)));

// The words of one float: eight neighbours, times the scale.
SLM_INLINE void load_words(const float *x, float scale, slm_v8 *words) {
  *words = *(const slm_v8u *)x * scale;
}

// Rounds to bfloat16, the nearest, ties to even; the lower halves are left as they are.
SLM_INLINE void round8(slm_u8 *bits) {
  slm_u8 missing = (slm_u8)((*bits & 0x7fffffff) > 0x7f800000);
  slm_u8 rounded = *bits + 0x7fff + (*bits >> 16 & 1);
  *bits = (rounded & ~missing) | ((*bits | 0x400000) & missing);
}

// The words of pairs: eight of the numbers at `even` and eight at `odd`, times the scale.
SLM_INLINE void join(const slm_v8 *even, const slm_v8 *odd, float scale, slm_v8 *words) {
  slm_v8 low = *even * scale, high = *odd * scale;
  slm_u8 a, b;
  memcpy(&a, &low, sizeof a);
  memcpy(&b, &high, sizeof b);
  round8(&a);
  round8(&b);
  a = a >> 16 | (b & 0xffff0000);
  memcpy(words, &a, sizeof a);
}

SLM_INLINE void load_pairs(const float *x, float scale, slm_v8 *words) {
  slm_v8 a = *(const slm_v8u *)x, b = *(const slm_v8u *)(x + 8);
  slm_v8 even = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
  slm_v8 odd = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
  join(&even, &odd, scale, words);
}

// One word of a row that runs along the depth.
SLM_INLINE float one_word(const float *x, bool pairs, int64_t left, float scale) {
  if (!pairs) return x[0] * scale;
  slm_v8 even = {x[0]}, odd = {left > 1 ? x[1] : 0}, words;
  join(&even, &odd, scale, &words);
  return words[0];
}

// Up to eight rows that run along the depth become as many of the `width` columns of words.
SLM_INLINE void pack_along(
    const float *x, int64_t step, bool pairs, int64_t valid, int64_t columns, int64_t width,
    int64_t depth, float scale, float *out) {
  int64_t each = pairs ? 2 : 1, words = (depth + each - 1) / each, k = 0;
  // Whole vectors are stored: what reaches beyond `columns` is overwritten by what follows, so the
  // last word is left to the loop below.
  for (; k + 8 < words; k += 8) {
    slm_v8 tile[8] = {};
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) {
      const float *from = x + i * step + k * each;
      if (i < valid) pairs ? load_pairs(from, scale, &tile[i]) : load_words(from, scale, &tile[i]);
    }
    slm_transpose8(tile);
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) *(slm_v8u *)(out + (k + i) * width) = tile[i];
  }
  for (; k < words; k++)
    for (int i = 0; i < columns; i++) {
      const float *from = x + i * step + k * each;
      float word = i < valid ? one_word(from, pairs, depth - k * each, scale) : 0;
      memcpy(out + k * width + i, &word, 4);
    }
}

SLM_INLINE void pack_slice(
    const float *x, int64_t step, bool pairs, int64_t valid, int64_t width, int64_t depth,
    float scale, float *out) {
  // Groups of eight in order, so that what one stores beyond its own is overwritten by the next.
  // A slice of 6 or 3 is one group, whose vectors reach into the next depth.
  for (int64_t c = 0; c < width; c += 8) {
    int64_t columns = width - c < 8 ? width - c : 8;
    int64_t real = valid - c < 0 ? 0 : valid - c < columns ? valid - c : columns;
    if (real == 8)
      pack_along(x + c * step, step, pairs, 8, 8, width, depth, scale, out + c);
    else if (real == 6)
      pack_along(x + c * step, step, pairs, 6, columns, width, depth, scale, out + c);
    else
      pack_along(x + c * step, step, pairs, real, columns, width, depth, scale, out + c);
  }
}

SLM_MULTIVERSION static void pack_slice_words(
    const float *x, int64_t step, int64_t valid, int64_t width, int64_t depth, float scale,
    float *out) {
  pack_slice(x, step, false, valid, width, depth, scale, out);
}

SLM_MULTIVERSION static void pack_slice_pairs(
    const float *x, int64_t step, int64_t valid, int64_t width, int64_t depth, float scale,
    float *out) {
  pack_slice(x, step, true, valid, width, depth, scale, out);
}

// Short runs far apart, which the processor's own prefetching does not follow. An address beyond
// the factor does no harm.
SLM_INLINE void prefetch_run(const float *x, int64_t depth_step, int64_t count) {
  for (int64_t i = 0; i < count; i += 16) __builtin_prefetch(x + 8 * depth_step + i);
}

// Rows that run across the depth are copied in runs of `width`, four depths of a slice together.
SLM_INLINE void copy_runs(
    const float *x, int64_t depth_step, int64_t whole, int64_t width, int64_t depths, float *out,
    int64_t slice_words) {
  for (int64_t s = 0; s < whole; s++, x += width, out += slice_words)
    for (int64_t k = 0; k < depths; k++)
      memcpy(out + k * width, x + k * depth_step, (size_t)width * 4);
}

#define COPY_RUNS(WIDTH)                                                                        \
  (left < 4 ? copy_runs(from, depth_step, whole, WIDTH, left, out + k * WIDTH, slice_words)     \
            : copy_runs(from, depth_step, whole, WIDTH, 4, out + k * WIDTH, slice_words))

SLM_MULTIVERSION static void pack_across_words(
    const float *x, int64_t depth_step, int64_t count, int64_t width, int64_t depth, float scale,
    float *out, int64_t slice_words) {
  int64_t whole = count / width, rest = count % width;
  for (int64_t k = 0; k < depth; k += 4) {
    const float *from = x + k * depth_step;
    int64_t left = depth - k;
    for (int i = 0; i < 4; i++) prefetch_run(from + i * depth_step, depth_step, count);
    if (width == 6)
      COPY_RUNS(6);
    else if (width == 8)
      COPY_RUNS(8);
    else if (width == 16)
      COPY_RUNS(16);
    else
      COPY_RUNS(width);
    for (int64_t j = 0; rest > 0 && j < 4 && j < left; j++) {
      float *to = out + whole * slice_words + (k + j) * width;
      for (int64_t i = 0; i < width; i++)
        to[i] = i < rest ? from[j * depth_step + whole * width + i] : 0;
    }
  }
  if (scale == 1) return;
  for (int64_t s = 0; s < whole + (rest > 0); s++)
    for (int64_t i = 0; i < depth * width; i++) out[s * slice_words + i] *= scale;
}

// The width is a multiple of eight.
SLM_MULTIVERSION static void pack_across_pairs(
    const float *x, int64_t depth_step, int64_t count, int64_t width, int64_t depth, float scale,
    float *out, int64_t slice_words) {
  for (int64_t k = 0; k < depth; k += 2) {
    const float *from = x + k * depth_step;
    prefetch_run(from, 2 * depth_step, count);
    for (int64_t i = 0; i < (count + width - 1) / width * width; i += 8) {
      slm_v8 even = {}, odd = {}, words;
      size_t bytes = (size_t)(count - i < 0 ? 0 : count - i < 8 ? count - i : 8) * 4;
      memcpy(&even, from + i, bytes);
      if (k + 1 < depth) memcpy(&odd, from + depth_step + i, bytes);
      join(&even, &odd, scale, &words);
      *(slm_v8u *)(out + i / width * slice_words + k / 2 * width + i % width) = words;
    }
  }
}

void slm_dense_pack(
    const struct slm_factor *factor, bool pairs, int64_t width, int64_t begin, int64_t end,
    int64_t first, int64_t last, float scale, void *out, int64_t slice_words) {
  const float *x = factor->data + begin * factor->step + first * factor->depth_step;
  end = end < factor->extent ? end : factor->extent;
  if (factor->step == 1) {
    (pairs ? pack_across_pairs : pack_across_words)(
        x, factor->depth_step, end - begin, width, last - first, scale, out, slice_words);
    return;
  }
  float *words = out;
  for (int64_t row = begin; row < end; row += width, words += slice_words)
    (pairs ? pack_slice_pairs : pack_slice_words)(
        x + (row - begin) * factor->step, factor->step, end - row < width ? end - row : width,
        width, last - first, scale, words);
}
