#include "integer_pack.h"

#include "multiversion.h"
#include "vectors.h"

typedef int8_t slm_b16 __attribute__((ext_vector_type(16), aligned(1)));
typedef int16_t slm_s16 __attribute__((ext_vector_type(16)));
typedef uint32_t slm_u8 __attribute__((ext_vector_type(8)));
typedef uint32_t slm_u8u __attribute__((ext_vector_type(8), aligned(1)));

// MARK: Rounding

// Magnitudes are compared as bits, in whose order infinity and what is not a number are largest.
SLM_MULTIVERSION static uint32_t largest_magnitude(const float *x, int64_t count) {
  slm_u16 most = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    slm_v16 v = SLM_LOAD16(x + i);
    slm_u16 bits;
    memcpy(&bits, &v, sizeof bits);
    bits &= 0x7fffffff;
    most = bits > most ? bits : most;
  }
  uint32_t result = 0;
  for (int lane = 0; lane < 16; lane++) result = most[lane] > result ? most[lane] : result;
  for (; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    bits &= 0x7fffffff;
    result = bits > result ? bits : result;
  }
  return result;
}

// Sixteen codes. What is not a number becomes some code: the scale tells of it.
SLM_INLINE void round16(const slm_v16 *x, float scale, int8_t *codes) {
  slm_v16 v = *x / scale;
  v = v > -128 ? v : (slm_v16){} - 128;
  v = v < 127 ? v : (slm_v16){} + 127;
  // Adding 1.5 * 2^23 leaves the nearest integer in the lowest bits, ties to even.
  v += 0x1.8p23f;
  slm_i16 bits;
  memcpy(&bits, &v, sizeof bits);
  slm_b16 narrow = __builtin_convertvector(bits, slm_b16);
  memcpy(codes, &narrow, sizeof narrow);
}

SLM_MULTIVERSION static void round_all(
    const float *x, int64_t count, float scale, int8_t *codes) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    slm_v16 v = SLM_LOAD16(x + i);
    round16(&v, scale, codes + i);
  }
  if (i == count) return;
  slm_v16 rest = {};
  int8_t last[16];
  memcpy(&rest, x + i, (size_t)(count - i) * 4);
  round16(&rest, scale, last);
  memcpy(codes + i, last, (size_t)(count - i));
}

float slm_integer_round(const float *x, int64_t count, float scale, int8_t *codes) {
  uint32_t bits = largest_magnitude(x, count);
  float largest;
  memcpy(&largest, &bits, 4);
  if (scale == 0) scale = largest / 127;
  if (bits >= 0x7f800000 || scale == 0) {
    memset(codes, 0, (size_t)count);
    return bits >= 0x7f800000 ? __builtin_nanf("") : 0;
  }
  round_all(x, count, scale, codes);
  return scale;
}

// MARK: Layout

static int64_t round_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

struct slm_integer_layout slm_integer_layout(const struct slm_matrix *weight, int64_t unit) {
  int64_t group = slm_matrix_group(weight);
  group = group < weight->columns ? group : weight->columns;
  struct slm_integer_layout layout = {.group = group};
  layout.groups = (weight->columns + group - 1) / group;
  layout.padded = round_up(group, unit);
  layout.length = round_up(layout.groups * layout.padded, 64);
  return layout;
}

void slm_integer_spread(
    const struct slm_integer_layout *layout, int64_t count, int64_t length, int8_t *codes) {
  int64_t group = layout->group, padded = layout->padded, end = length;
  for (int64_t g = (count + group - 1) / group - 1; g >= 0; g--) {
    int64_t own = count - g * group < group ? count - g * group : group;
    if (padded != group) memmove(codes + g * padded, codes + g * group, (size_t)own);
    memset(codes + g * padded + own, 0, (size_t)(end - g * padded - own));
    end = g * padded;
  }
}

float slm_integer_round_row(
    const struct slm_integer *p, const struct slm_integer_layout *layout, int64_t row,
    int8_t *codes) {
  float scale = slm_integer_round(p->x + row * p->x_step, p->depth, p->scale, codes);
  slm_integer_spread(layout, p->depth, layout->length, codes);
  return scale;
}

void slm_integer_codes(
    const struct slm_matrix *weight, const struct slm_integer_layout *layout, int64_t row,
    int64_t begin, int64_t end, int8_t *codes) {
  int64_t first = begin * layout->group, last = end * layout->group;
  last = last < weight->columns ? last : weight->columns;
  slm_matrix_codes(weight, row, first, last, codes);
  slm_integer_spread(
      layout, last - first, round_up((end - begin) * layout->padded, 64), codes);
}

// MARK: Packing

SLM_INLINE void load_words(const int8_t *codes, bool quads, bool flips, slm_v8 *words) {
  if (quads) {
    slm_u8 bits = *(const slm_u8u *)codes;
    if (flips) bits ^= 0x80808080;
    memcpy(words, &bits, sizeof bits);
  } else {
    slm_s16 wide = __builtin_convertvector(*(const slm_b16 *)codes, slm_s16);
    memcpy(words, &wide, sizeof wide);
  }
}

SLM_INLINE void pack_columns(
    const int8_t *codes, int64_t step, int64_t valid, int64_t columns, int64_t width,
    int64_t words, bool quads, bool flips, uint32_t *out) {
  for (int64_t k = 0; k < words; k += 8) {
    slm_v8 tile[8] = {};
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++)
      if (i < valid) load_words(codes + i * step + k * (quads ? 4 : 2), quads, flips, &tile[i]);
    slm_transpose8(tile);
    int64_t left = words - k < 8 ? words - k : 8;
    if (columns == 8 && left == 8) {
#pragma clang loop unroll(full)
      for (int i = 0; i < 8; i++) memcpy(out + (k + i) * width, &tile[i], 32);
    } else {
      for (int64_t i = 0; i < left; i++)
        memcpy(out + (k + i) * width, &tile[i], (size_t)columns * 4);
    }
  }
}

SLM_INLINE void pack_slice(
    const int8_t *codes, int64_t step, int64_t valid, int64_t width, int64_t words, bool quads,
    bool flips, uint32_t *out) {
  for (int64_t c = 0; c < width; c += 8) {
    int64_t columns = width - c < 8 ? width - c : 8;
    int64_t real = valid - c < 0 ? 0 : valid - c < columns ? valid - c : columns;
    const int8_t *from = codes + c * step;
    if (real == 8)
      pack_columns(from, step, 8, 8, width, words, quads, flips, out + c);
    else if (real == 6 && columns == 6)
      pack_columns(from, step, 6, 6, width, words, quads, flips, out + c);
    else
      pack_columns(from, step, real, columns, width, words, quads, flips, out + c);
  }
}

SLM_MULTIVERSION static void pack_pairs(
    const int8_t *codes, int64_t step, int64_t valid, int64_t width, int64_t words,
    uint32_t *out) {
  pack_slice(codes, step, valid, width, words, false, false, out);
}

SLM_MULTIVERSION static void pack_quads(
    const int8_t *codes, int64_t step, int64_t valid, int64_t width, int64_t words, bool flips,
    uint32_t *out) {
  pack_slice(codes, step, valid, width, words, true, flips, out);
}

void slm_integer_pack(
    const int8_t *codes, int64_t step, int64_t valid, int64_t width, int64_t words, bool quads,
    bool flips, uint32_t *out) {
  if (quads)
    pack_quads(codes, step, valid, width, words, flips, out);
  else
    pack_pairs(codes, step, valid, width, words, out);
}

SLM_MULTIVERSION int32_t slm_integer_sum(const int8_t *codes, int64_t count) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; i++) sum += codes[i];
  return sum;
}
