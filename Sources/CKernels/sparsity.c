#include "include/slm_sparsity.h"

#include <math.h>
#include <string.h>

#include "multiversion.h"

// The k-th least of some values, from 0; their order is lost. Hoare's selection with the median of
// three, so that sorted and equal values cost no more than others.
static float slm_select(float *values, int64_t count, int64_t k) {
  int64_t low = 0, high = count - 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    float a = values[low], b = values[middle], c = values[high];
    if (a > b) { const float t = a; a = b; b = t; }
    if (b > c) b = c;
    const float pivot = a > b ? a : b;
    int64_t i = low, j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) {
        const float t = values[i];
        values[i++] = values[j];
        values[j--] = t;
      }
    }
    if (k <= j) {
      high = j;
    } else if (k >= i) {
      low = i;
    } else {
      return pivot;
    }
  }
  return values[low];
}

void slm_mask_least(
    const float *scores, int64_t count, int64_t zeros, float *scratch, uint8_t *mask) {
  if (zeros <= 0 || count <= 0) {
    memset(mask, 0, (size_t)(count > 0 ? count : 0));
    return;
  }
  if (zeros >= count) {
    memset(mask, 1, (size_t)count);
    return;
  }
  memcpy(scratch, scores, (size_t)count * sizeof(float));
  const float threshold = slm_select(scratch, count, zeros - 1);
  int64_t below = 0;
  for (int64_t i = 0; i < count; i++) {
    mask[i] = scores[i] < threshold;
    below += mask[i];
  }
  for (int64_t i = 0; i < count && below < zeros; i++) {
    if (scores[i] == threshold) {
      mask[i] = 1;
      below++;
    }
  }
}

void slm_mask_groups(
    const float *scores, int64_t count, int64_t group, int64_t zeros, uint8_t *mask) {
  for (int64_t start = 0; start < count; start += group) {
    const float *s = scores + start;
    for (int64_t i = 0; i < group; i++) {
      // A weight goes if fewer than `zeros` others go before it.
      int64_t before = 0;
      for (int64_t j = 0; j < group; j++) before += s[j] < s[i] || (s[j] == s[i] && j < i);
      mask[start + i] = before < zeros;
    }
  }
}

SLM_MULTIVERSION
void slm_scores(
    const float *restrict weights, const float *restrict factors, int64_t count,
    float *restrict scores) {
  for (int64_t i = 0; i < count; i++) {
    const float score = fabsf(weights[i]) * (factors ? factors[i] : 1.0f);
    scores[i] = score >= 0 ? score : INFINITY;
  }
}

void slm_run_sums(const float *scores, int64_t count, int64_t width, double *sums) {
  for (int64_t i = 0; i < count; i++) sums[i / width] += (double)scores[i] * (double)scores[i];
}

void slm_apply_mask(float *weights, const uint8_t *mask, int64_t count, double *sums) {
  double gone = 0, all = 0;
  for (int64_t i = 0; i < count; i++) {
    const double square = (double)weights[i] * (double)weights[i];
    all += square;
    if (mask[i]) {
      gone += square;
      weights[i] = 0;
    }
  }
  sums[0] += gone;
  sums[1] += all;
}

static inline uint32_t slm_magnitude_bits(const float *weight) {
  uint32_t bits;
  memcpy(&bits, weight, sizeof bits);
  return bits & 0x7FFFFFFFu;
}

void slm_magnitude_counts(
    const float *weights, int64_t count, int32_t upper, int64_t *counts) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = slm_magnitude_bits(weights + i);
    if (upper < 0) {
      counts[bits >> 16]++;
    } else if (bits >> 16 == (uint32_t)upper) {
      counts[bits & 0xFFFFu]++;
    }
  }
}

void slm_mask_below(
    const float *weights, int64_t count, uint32_t threshold, int64_t *equals, uint8_t *mask) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = slm_magnitude_bits(weights + i);
    mask[i] = bits < threshold;
    if (bits == threshold && *equals > 0) {
      mask[i] = 1;
      --*equals;
    }
  }
}

int64_t slm_count_zeros(const float *weights, int64_t count) {
  int64_t zeros = 0;
  for (int64_t i = 0; i < count; i++) zeros += weights[i] == 0;
  return zeros;
}

int64_t slm_count_above(const float *scores, int64_t count, float limit) {
  int64_t above = 0;
  for (int64_t i = 0; i < count; i++) above += scores[i] > limit;
  return above;
}

SLM_MULTIVERSION
void slm_sparse_columns(
    const struct slm_sparse_row *row, const double *restrict factor,
    const float *restrict factors, int64_t columns, int64_t begin, int64_t end, int64_t group,
    int64_t zeros) {
  double *restrict weights = row->weights;
  for (int64_t p = begin; p < end; p++) {
    if (group > 0 && p % group == 0) {
      float scores[64];
      for (int64_t i = 0; i < group; i++) {
        const float score = (float)(fabs(weights[p + i]) * (double)factors[p + i]);
        scores[i] = score >= 0 ? score : INFINITY;
      }
      slm_mask_groups(scores, group, group, zeros, row->mask + p);
    }
    if (!row->mask[p]) {
      row->errors[p - begin] = 0;
      continue;
    }
    const double *restrict u = factor + p * columns;
    const double error = weights[p] / u[p];
    row->errors[p - begin] = error;
    weights[p] = 0;
    for (int64_t k = p + 1; k < end; k++) weights[k] -= error * u[k];
  }
}

void slm_nonzero_bits(const float *values, int64_t count, uint8_t *bits) {
  for (int64_t start = 0; start < count; start += 8) {
    const int64_t width = count - start < 8 ? count - start : 8;
    uint32_t byte = 0;
    for (int64_t i = 0; i < width; i++) byte |= (uint32_t)(values[start + i] != 0) << i;
    bits[start / 8] = (uint8_t)byte;
  }
}

void slm_clear_marked(const uint8_t *mask, int64_t count, uint8_t *bits) {
  for (int64_t start = 0; start < count; start += 8) {
    const int64_t width = count - start < 8 ? count - start : 8;
    uint32_t byte = 0;
    for (int64_t i = 0; i < width; i++) byte |= (uint32_t)(mask[start + i] != 0) << i;
    bits[start / 8] &= (uint8_t)~byte;
  }
}

SLM_MULTIVERSION
void slm_clear_unset(const uint8_t *restrict bits, int64_t count, float *restrict values) {
  const int64_t whole = count / 8;
  for (int64_t b = 0; b < whole; b++) {
    const uint32_t byte = bits[b];
    float *v = values + 8 * b;
    for (uint32_t i = 0; i < 8; i++) v[i] = (byte >> i) & 1u ? v[i] : 0.0f;
  }
  for (int64_t i = 8 * whole; i < count; i++) {
    if (!((bits[i / 8] >> (i % 8)) & 1u)) values[i] = 0;
  }
}

int64_t slm_count_bits(const uint8_t *bits, int64_t count) {
  int64_t set = 0;
  for (int64_t i = 0; i < (count + 7) / 8; i++) set += __builtin_popcount(bits[i]);
  return set;
}

#define SLM_BITMASK(type)                                                                          \
  static int64_t slm_split_##type(                                                                 \
      const type *row, int64_t count, uint8_t *bits, type *values) {                               \
    int64_t used = 0;                                                                              \
    for (int64_t start = 0; start < count; start += 8) {                                           \
      const int64_t width = count - start < 8 ? count - start : 8;                                 \
      uint32_t byte = 0;                                                                           \
      for (int64_t i = 0; i < width; i++) {                                                        \
        const type element = row[start + i];                                                       \
        if (element == 0) continue;                                                                \
        byte |= 1u << i;                                                                           \
        if (values) values[used] = element;                                                        \
        used++;                                                                                    \
      }                                                                                            \
      if (bits) bits[start / 8] = (uint8_t)byte;                                                   \
    }                                                                                              \
    return used;                                                                                   \
  }                                                                                                \
  static int64_t slm_join_##type(                                                                  \
      const uint8_t *bits, int64_t count, const type *values, type *row) {                         \
    int64_t used = 0;                                                                              \
    for (int64_t i = 0; i < count; i++) {                                                          \
      row[i] = (bits[i / 8] >> (i % 8)) & 1u ? values[used++] : 0;                                 \
    }                                                                                              \
    return used;                                                                                   \
  }
SLM_BITMASK(uint8_t)
SLM_BITMASK(uint16_t)
SLM_BITMASK(uint32_t)

int64_t slm_bitmask_split(
    const void *row, int64_t count, int64_t size, uint8_t *bits, void *values) {
  switch (size) {
    case 1: return slm_split_uint8_t(row, count, bits, values);
    case 2: return slm_split_uint16_t(row, count, bits, values);
    default: return slm_split_uint32_t(row, count, bits, values);
  }
}

int64_t slm_bitmask_join(
    const uint8_t *bits, int64_t count, int64_t size, const void *values, void *row) {
  switch (size) {
    case 1: return slm_join_uint8_t(bits, count, values, row);
    case 2: return slm_join_uint16_t(bits, count, values, row);
    default: return slm_join_uint32_t(bits, count, values, row);
  }
}

SLM_MULTIVERSION
void slm_codes_from_zero(
    uint8_t *restrict codes, int64_t count, const uint8_t *zeros, int64_t group, int bits,
    bool back) {
  const uint8_t mask = (uint8_t)((1 << bits) - 1);
  for (int64_t begin = 0, index = 0; begin < count; begin += group, index++) {
    const int64_t end = begin + group < count ? begin + group : count;
    const uint8_t zero = zeros ? zeros[index] : (uint8_t)(1 << (bits - 1));
    const uint8_t added = back ? zero : (uint8_t)(0 - zero);
    for (int64_t i = begin; i < end; i++) codes[i] = (uint8_t)(codes[i] + added) & mask;
  }
}

// The places of each pair, and the pair of a set of places; of fewer than two places the pair that
// the first others complete.
static const uint8_t slm_pair_places[6][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};
static const int8_t slm_pair_of_places[16] = {0, 0, 0, 0, 1, 1, 3, -1, 2, 2, 4, -1, 5, -1, -1, -1};

int64_t slm_pairs_split(const uint8_t *row, int64_t count, uint8_t *pairs, uint8_t *values) {
  uint32_t byte = 0, weight = 1;
  for (int64_t g = 0; g < count / 4; g++) {
    const uint8_t *four = row + 4 * g;
    const int set = (four[0] != 0) | (four[1] != 0) << 1 | (four[2] != 0) << 2 | (four[3] != 0) << 3;
    const int pair = slm_pair_of_places[set];
    if (pair < 0) return g;
    byte += weight * (uint32_t)pair;
    weight *= 6;
    if (weight == 216 || g + 1 == count / 4) {
      if (pairs) *pairs++ = (uint8_t)byte;
      byte = 0;
      weight = 1;
    }
    if (values) {
      *values++ = four[slm_pair_places[pair][0]];
      *values++ = four[slm_pair_places[pair][1]];
    }
  }
  return -1;
}

void slm_pairs_join(const uint8_t *pairs, int64_t count, const uint8_t *values, uint8_t *row) {
  memset(row, 0, (size_t)count);
  for (int64_t g = 0; g < count / 4; g++) {
    const int byte = pairs[g / 3], pair = (g % 3 == 0 ? byte : g % 3 == 1 ? byte / 6 : byte / 36) % 6;
    row[4 * g + slm_pair_places[pair][0]] = *values++;
    row[4 * g + slm_pair_places[pair][1]] = *values++;
  }
}

int64_t slm_pairs_invalid(const uint8_t *pairs, int64_t count) {
  const int64_t groups = count / 4, bytes = (groups + 2) / 3;
  for (int64_t b = 0; b < bytes; b++) {
    const int64_t left = groups - 3 * b;
    if (pairs[b] >= (left >= 3 ? 216 : left == 2 ? 36 : 6)) return b;
  }
  return -1;
}
