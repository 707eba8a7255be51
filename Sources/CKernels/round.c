#include "round.h"

#include "multiversion.h"

// A group's scale as stored, its zero code or offset, and the greatest code.
typedef struct { float scale, zero, offset; } slm_grid;

SLM_INLINE float slm_stored(float value, int type) {
  uint8_t half[2];
  if (type == SLM_FLOAT16) {
    slm_float_to_half(value, half);
    return slm_half_to_float(half);
  }
  if (type == SLM_BFLOAT16) {
    const uint32_t bits = slm_float_to_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return value;
    return slm_bits_to_float((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
  }
  return value;
}

SLM_INLINE void slm_store_scale(float value, int type, void *scales, int64_t index) {
  const uint32_t bits = slm_float_to_bits(value);
  if (type == SLM_FLOAT32) {
    memcpy((uint8_t *)scales + 4 * index, &bits, 4);
  } else if (type == SLM_FLOAT16) {
    slm_float_to_half(value, (uint8_t *)scales + 2 * index);
  } else {
    const uint16_t high = (uint16_t)(bits >> 16);
    memcpy((uint8_t *)scales + 2 * index, &high, 2);
  }
}

// MARK: Codes for a grid

SLM_INLINE float slm_partial_squares(const float *values, const float *weights, int64_t count) {
  slm_f32x16 sums = 0;
  for (int64_t i = 0; i < count; i += 16) {
    const slm_f32x16 x = slm_next(values, i, count, 0);
    sums += slm_next_weights(weights, i, count) * x * x;
  }
  return slm_lanes_sum(sums);
}

// value = scale * (code - zero) + offset, where one of zero and offset is 0. Writes codes if asked
// and returns the weighted sum of squared errors.
SLM_INLINE float slm_choose_codes(
    const float *values, const float *weights, int64_t count, slm_grid grid, float top,
    uint8_t *codes) {
  const slm_f32x16 low = -grid.zero, high = top - grid.zero, zero = grid.zero;
  const slm_f32x16 scale = grid.scale, offset = grid.offset, nothing = 0;
  slm_f32x16 errors = 0;
  const float filler = grid.offset;
  for (int64_t i = 0; i < count; i += 16) {
    const slm_f32x16 x = slm_next(values, i, count, filler);
    const slm_f32x16 distance = grid.scale != 0 ? (x - offset) / scale : nothing;
    const slm_f32x16 q = SLM_ROUNDED(SLM_CLAMPED(distance, low, high));
    const slm_f32x16 error = x - (scale * q + offset);
    errors += slm_next_weights(weights, i, count) * error * error;
    if (!codes) continue;
    uint8_t lanes[16];
    slm_store(__builtin_convertvector(__builtin_convertvector(q + zero, slm_i32x16), slm_u8x16), lanes);
    memcpy(codes + i, lanes, (size_t)(count - i < 16 ? count - i : 16));
  }
  return slm_lanes_sum(errors);
}

// MARK: Scales from extreme values

SLM_INLINE slm_grid slm_extreme_grid(
    const struct slm_rounding *rounding, float least, float greatest) {
  const int type = rounding->scale_type, bits = rounding->bits;
  const float top = (float)((1 << bits) - 1), middle = (float)(1 << (bits - 1));
  slm_grid grid = {0, 0, 0};
  if (rounding->zero == SLM_ZERO_OFFSET) {
    grid.offset = slm_stored(least, type);
    grid.scale = slm_stored((greatest - least) / top, type);
  } else if (rounding->zero == SLM_ZERO_CODE) {
    const float low = SLM_LESSER(least, 0.0f), high = SLM_GREATER(greatest, 0.0f);
    grid.scale = slm_stored((high - low) / top, type);
    const float zero = grid.scale > 0 ? -low / grid.scale : 0;
    grid.zero = SLM_ROUNDED(SLM_CLAMPED(zero, 0.0f, top));
  } else {
    const float extent = SLM_GREATER(greatest, -least);
    grid.zero = middle;
    if (bits == 8) {
      grid.scale = slm_stored(extent / 127, type);
    } else if (rounding->negative) {
      grid.scale = slm_stored((greatest > -least ? greatest : least) / -middle, type);
    } else {
      grid.scale = slm_stored(extent / (middle - 0.5f), type);
    }
  }
  return grid;
}

// MARK: Scales of least squared error

// Inverse scales are tried in steps from where every code is below half the range (a finer scale is
// then as good) to where cutting off values has made the error clearly larger than the best.
#define SLM_STEPS 32.0f
#define SLM_REFINEMENTS 4

// Steps are even while nothing is cut off, then proportional.
SLM_INLINE float slm_next_inverse(float m, float full) {
  return m + SLM_GREATER(m, full) / SLM_STEPS;
}

// Whether errors have passed their minimum: they jump a little from one set of codes to the next.
SLM_INLINE bool slm_is_past(float m, float full, float gain, float best, float total) {
  return m > full && (total - gain > 1.25f * (total - best) || m > 1024 * full);
}

SLM_INLINE slm_grid slm_search_middle(
    const struct slm_rounding *rounding, const float *values, const float *weights, int64_t count,
    float extent, float squares) {
  const float middle = (float)(1 << (rounding->bits - 1));
  float best = -1, sign = 1;
  slm_fit kept = {0, 0};
  for (float m = (middle - 1) / 2 + 0.5f;; m = slm_next_inverse(m, middle)) {
    slm_fit plus, minus;
    slm_fit_both_signs(values, weights, count, m / extent, middle, &plus, &minus);
    const float gain = slm_gain(plus), mirrored = rounding->negative ? slm_gain(minus) : 0;
    if (gain > best) best = gain, kept = plus, sign = 1;
    if (mirrored > best) best = mirrored, kept = minus, sign = -1;
    if (slm_is_past(m, middle, SLM_GREATER(gain, mirrored), best, squares)) break;
  }
  const float low = sign > 0 ? -middle : 1 - middle, high = sign > 0 ? middle - 1 : middle;
  for (int i = 0; i < SLM_REFINEMENTS && kept.xq > 0; i++) {
    const slm_fit next = slm_fit_codes(values, weights, count, kept.qq / kept.xq, low, high);
    if (slm_gain(next) <= best) break;
    best = slm_gain(next);
    kept = next;
  }
  const float scale = kept.qq > 0 ? sign * kept.xq / kept.qq : 0;
  return (slm_grid){slm_stored(scale, rounding->scale_type), middle, 0};
}

SLM_INLINE slm_grid slm_search_code(
    const struct slm_rounding *rounding, const float *values, const float *weights, int64_t count,
    float least, float greatest, float squares) {
  const float top = (float)((1 << rounding->bits) - 1);
  const float low = SLM_LESSER(least, 0.0f), high = SLM_GREATER(greatest, 0.0f);
  const float range = high - low;
  float best = -1, zero = 0;
  slm_fit kept = {0, 0};
  for (float m = top / 2;; m = slm_next_inverse(m, top)) {
    const float inverse = m / range;
    // Zeros that keep the least value, the greatest, or cut off as much at both ends.
    const float a = SLM_ROUNDED(SLM_CLAMPED(-low * inverse, 0.0f, top));
    const float b = SLM_ROUNDED(SLM_CLAMPED(top - high * inverse, 0.0f, top));
    const float zeros[3] = {a, b, SLM_ROUNDED((a + b) / 2)};
    float gain = 0;
    for (int i = 0; i < 3 && (i == 0 || zeros[i] != zeros[i - 1]); i++) {
      const slm_fit fit =
          slm_fit_codes(values, weights, count, inverse, -zeros[i], top - zeros[i]);
      gain = SLM_GREATER(slm_gain(fit), gain);
      if (slm_gain(fit) > best) best = slm_gain(fit), kept = fit, zero = zeros[i];
    }
    if (slm_is_past(m, top, gain, best, squares)) break;
  }
  for (int i = 0; i < SLM_REFINEMENTS && kept.xq > 0; i++) {
    const slm_fit next =
        slm_fit_codes(values, weights, count, kept.qq / kept.xq, -zero, top - zero);
    if (slm_gain(next) <= best) break;
    best = slm_gain(next);
    kept = next;
  }
  const float scale = kept.qq > 0 ? kept.xq / kept.qq : 0;
  return (slm_grid){slm_stored(scale, rounding->scale_type), zero, 0};
}

SLM_INLINE slm_grid slm_search_offset(
    const struct slm_rounding *rounding, const float *values, const float *weights, int64_t count,
    float least, float greatest) {
  const float top = (float)((1 << rounding->bits) - 1), range = greatest - least;
  slm_f32x16 sums = 0, squares = 0, heft = 0;
  for (int64_t i = 0; i < count; i += 16) {
    const slm_f32x16 w = slm_next_weights(weights, i, count);
    sums += w * slm_next(values, i, count, 0);
    heft += w;
  }
  const float all = weights ? slm_lanes_sum(heft) : (float)count;
  const float mean = all > 0 ? slm_lanes_sum(sums) / all : 0;
  for (int64_t i = 0; i < count; i += 16) {
    const slm_f32x16 x = slm_next(values, i, count, mean) - mean;
    squares += slm_next_weights(weights, i, count) * x * x;
  }
  const float total = slm_lanes_sum(squares);
  slm_line best = {0, mean, -1};
  for (float m = top / 2;; m = slm_next_inverse(m, top)) {
    const float spare = range * (m - top) / m;  // what is cut off, or the range left over
    float gain = 0;
    for (int part = 0; part <= 2; part++) {
      const float offset = least + spare * (float)part / 2;
      const slm_line line = slm_fit_line(values, weights, count, mean, all, m / range, offset, top);
      gain = SLM_GREATER(line.gain, gain);
      if (line.gain > best.gain) best = line;
    }
    if (slm_is_past(m, top, gain, best.gain, total)) break;
  }
  for (int i = 0; i < 2 * SLM_REFINEMENTS && best.scale > 0; i++) {
    const slm_line next = slm_fit_line(
        values, weights, count, mean, all, 1 / best.scale, best.offset, top);
    if (next.gain <= best.gain) break;
    best = next;
  }
  const int type = rounding->scale_type;
  return (slm_grid){slm_stored(best.scale, type), 0, slm_stored(best.offset, type)};
}

SLM_INLINE slm_grid slm_search_grid(
    const struct slm_rounding *rounding, const float *values, const float *weights, int64_t count,
    float least, float greatest) {
  if (rounding->zero == SLM_ZERO_OFFSET) {
    return slm_search_offset(rounding, values, weights, count, least, greatest);
  }
  const float squares = slm_partial_squares(values, weights, count);
  return rounding->zero == SLM_ZERO_CODE
      ? slm_search_code(rounding, values, weights, count, least, greatest, squares)
      : slm_search_middle(
            rounding, values, weights, count, SLM_GREATER(greatest, -least), squares);
}

// MARK: Rows

// Below this the squares that the search compares would vanish, above 1e18 they would overflow.
#define SLM_SEARCHED_RANGE 1e-15f

// Chooses the grid of one group, its scale and offset as they are stored.
SLM_INLINE slm_grid slm_group_grid(
    const struct slm_rounding *rounding, const float *x, const float *weights, int64_t count) {
  const float top = (float)((1 << rounding->bits) - 1);
  float least, greatest;
  slm_group_range(x, count, &least, &greatest);
  slm_grid grid = slm_extreme_grid(rounding, least, greatest);
  const float range = SLM_GREATER(greatest, 0.0f) - SLM_LESSER(least, 0.0f);
  const float searched = rounding->zero == SLM_ZERO_OFFSET ? greatest - least : range;
  if (rounding->searches && searched > SLM_SEARCHED_RANGE && range < 1e18f) {
    const float plain = slm_choose_codes(x, weights, count, grid, top, NULL);
    const slm_grid found = slm_search_grid(rounding, x, weights, count, least, greatest);
    if (slm_choose_codes(x, weights, count, found, top, NULL) < plain) grid = found;
  }
  return grid;
}

SLM_INLINE void slm_store_grid(
    const struct slm_rounding *rounding, slm_grid grid, int64_t index, void *scales,
    uint8_t *zeros, void *offsets) {
  slm_store_scale(grid.scale, rounding->scale_type, scales, index);
  if (rounding->zero == SLM_ZERO_CODE) zeros[index] = (uint8_t)grid.zero;
  if (rounding->zero == SLM_ZERO_OFFSET) {
    slm_store_scale(grid.offset, rounding->scale_type, offsets, index);
  }
}

SLM_MULTIVERSION
double slm_round_row(
    const struct slm_rounding *rounding, const float *restrict values,
    const float *restrict weights, int64_t columns, int64_t group, uint8_t *restrict codes,
    void *restrict scales, uint8_t *restrict zeros, void *restrict offsets) {
  const float top = (float)((1 << rounding->bits) - 1);
  double error = 0;
  for (int64_t first = 0, index = 0; first < columns; first += group, index++) {
    const float *x = values + first;
    const int64_t count = columns - first < group ? columns - first : group;
    const float *w = weights ? weights + first : NULL;
    const slm_grid grid = slm_group_grid(rounding, x, w, count);
    error += (double)slm_choose_codes(x, NULL, count, grid, top, codes + first);
    slm_store_grid(rounding, grid, index, scales, zeros, offsets);
  }
  return error;
}

SLM_MULTIVERSION
void slm_weighted_grid(
    const struct slm_rounding *rounding, const float *restrict values,
    const float *restrict weights, int64_t count, int64_t index, void *restrict scales,
    uint8_t *restrict zeros, void *restrict offsets, float *restrict grid_values) {
  const slm_grid grid = slm_group_grid(rounding, values, weights, count);
  slm_store_grid(rounding, grid, index, scales, zeros, offsets);
  grid_values[0] = grid.scale;
  grid_values[1] = grid.zero;
  grid_values[2] = grid.offset;
}

SLM_MULTIVERSION
double slm_sum_of_squares(const float *values, int64_t count) {
  double total = 0;
  for (int64_t first = 0; first < count; first += 1024) {
    const int64_t some = count - first < 1024 ? count - first : 1024;
    total += (double)slm_partial_squares(values + first, NULL, some);
  }
  return total;
}

// MARK: Packing

// Eight codes fill `bits` whole bytes.
SLM_INLINE uint64_t slm_gather_codes(const uint8_t *codes, int bits) {
  uint64_t word = 0;
  for (int j = 0; j < 8; j++) word |= (uint64_t)codes[j] << (j * bits);
  return word;
}

SLM_INLINE void slm_pack_width(
    const uint8_t *restrict codes, int64_t count, int bits, uint8_t *restrict packed) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8, packed += bits) {
    const uint64_t word = slm_gather_codes(codes + i, bits);
    memcpy(packed, &word, (size_t)bits);
  }
  if (i == count) return;
  uint8_t rest[8] = {0};
  memcpy(rest, codes + i, (size_t)(count - i));
  const uint64_t word = slm_gather_codes(rest, bits);
  memcpy(packed, &word, (size_t)(((count - i) * bits + 7) / 8));
}

SLM_INLINE void slm_unpack_width(
    const uint8_t *restrict packed, int64_t count, int bits, uint8_t *restrict codes) {
  const uint8_t mask = (uint8_t)((1 << bits) - 1);
  for (int64_t i = 0; i < count; i += 8, packed += bits) {
    const int64_t some = count - i < 8 ? count - i : 8;
    uint64_t word = 0;
    memcpy(&word, packed, (size_t)(some == 8 ? bits : (some * bits + 7) / 8));
    for (int64_t j = 0; j < some; j++) codes[i + j] = (uint8_t)(word >> (j * bits)) & mask;
  }
}

// A constant width lets the compiler unroll and vectorize.
#define SLM_EACH_WIDTH(DO) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

SLM_MULTIVERSION
void slm_codes_pack(const uint8_t *codes, int64_t count, int bits, uint8_t *packed) {
  switch (bits) {
#define SLM_PACK(width) case width: slm_pack_width(codes, count, width, packed); break;
    SLM_EACH_WIDTH(SLM_PACK)
  case 8: memcpy(packed, codes, (size_t)count); break;
  }
}

SLM_MULTIVERSION
void slm_codes_unpack(const uint8_t *packed, int64_t count, int bits, uint8_t *codes) {
  switch (bits) {
#define SLM_UNPACK(width) case width: slm_unpack_width(packed, count, width, codes); break;
    SLM_EACH_WIDTH(SLM_UNPACK)
  case 8: memcpy(codes, packed, (size_t)count); break;
  }
}
