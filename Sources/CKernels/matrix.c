#include "slm_matrix.h"

#include "multiversion.h"
#include "slm_blocks.h"
#include "numbers.h"

#define CHUNK 256

// MARK: Unpacking codes

SLM_MULTIVERSION static void unpack2(const uint8_t *restrict s, int64_t n, uint8_t *restrict t) {
  for (int64_t i = 0; i < n / 4; i++)
    for (int j = 0; j < 4; j++) t[4 * i + j] = s[i] >> 2 * j & 3;
  for (int64_t i = n / 4 * 4; i < n; i++) t[i] = s[i / 4] >> 2 * (i % 4) & 3;
}

SLM_MULTIVERSION static void unpack4(const uint8_t *restrict s, int64_t n, uint8_t *restrict t) {
  for (int64_t i = 0; i < n / 2; i++) {
    t[2 * i] = s[i] & 15;
    t[2 * i + 1] = s[i] >> 4;
  }
  if (n % 2) t[n - 1] = s[n / 2] & 15;
}

// Eight codes fill as many bytes as a code has bits, so they fit one 64-bit word.
static void unpack_any(const uint8_t *s, int bits, int64_t n, uint8_t *t) {
  uint8_t mask = (uint8_t)((1 << bits) - 1);
  for (int64_t i = 0; i < n; i += 8, s += bits) {
    int64_t codes = n - i < 8 ? n - i : 8;
    uint64_t word = 0;
    memcpy(&word, s, (size_t)((codes * bits + 7) / 8));
    for (int64_t j = 0; j < codes; j++) t[i + j] = (uint8_t)(word >> j * bits) & mask;
  }
}

static void unpack(const uint8_t *source, int bits, int64_t count, uint8_t *codes) {
  switch (bits) {
  case 2: unpack2(source, count, codes); break;
  case 4: unpack4(source, count, codes); break;
  case 8: memcpy(codes, source, (size_t)count); break;
  default: unpack_any(source, bits, count, codes);
  }
}

// MARK: Applying scales

SLM_MULTIVERSION static void apply_zero(
    const uint8_t *restrict codes, int64_t n, float scale, int zero, float *restrict out) {
  for (int64_t i = 0; i < n; i++) out[i] = scale * (float)((int)codes[i] - zero);
}

SLM_MULTIVERSION static void apply_offset(
    const uint8_t *restrict codes, int64_t n, float scale, float offset, float *restrict out) {
// Product and sum are rounded each, so that the values are the same on every CPU.
#pragma STDC FP_CONTRACT OFF
  for (int64_t i = 0; i < n; i++) out[i] = scale * (float)codes[i] + offset;
}

static inline float number(const void *numbers, int type, int64_t index) {
  float value;
  uint16_t half;
  if (type == SLM_FLOAT32) {
    memcpy(&value, (const char *)numbers + 4 * index, 4);
    return value;
  }
  memcpy(&half, (const char *)numbers + 2 * index, 2);
  return type == SLM_FLOAT16 ? slm_widen_f16(half) : slm_widen_bf16(half);
}

static void widen_codes(
    const struct slm_matrix *m, int64_t row, int64_t begin, int64_t end, float *out) {
  const uint8_t *data = (const uint8_t *)m->data + row * m->row_bytes;
  uint8_t codes[CHUNK];
  for (int64_t chunk = begin; chunk < end; chunk += CHUNK) {
    int64_t stop = chunk + CHUNK < end ? chunk + CHUNK : end;
    unpack(data + chunk * m->bits / 8, m->bits, stop - chunk, codes);
    for (int64_t k = chunk; k < stop;) {
      int64_t group = k / m->group, index = row * m->groups + group;
      int64_t next = (group + 1) * m->group < stop ? (group + 1) * m->group : stop;
      float scale = number(m->scales, m->scale_type, index);
      if (m->offsets != NULL)
        apply_offset(
            codes + k - chunk, next - k, scale, number(m->offsets, m->offset_type, index),
            out + k - begin);
      else
        apply_zero(
            codes + k - chunk, next - k, scale,
            m->zeros != NULL ? m->zeros[index] : 1 << (m->bits - 1), out + k - begin);
      k = next;
    }
  }
}

void slm_matrix_widen(
    const struct slm_matrix *m, int64_t row, int64_t begin, int64_t end, float *out) {
  static const int8_t element_bytes[] = {8, 4, 2, 2, 1, 1, 8, 4, 2, 1};
  static const int16_t block_bytes[] = {
      [SLM_BLOCK_Q4_0] = 18, [SLM_BLOCK_Q4_1] = 20, [SLM_BLOCK_Q5_0] = 22, [SLM_BLOCK_Q5_1] = 24,
      [SLM_BLOCK_Q8_0] = 34, [SLM_BLOCK_IQ4_NL] = 18, [SLM_BLOCK_Q2_K] = 84,
      [SLM_BLOCK_Q3_K] = 110, [SLM_BLOCK_Q4_K] = 144, [SLM_BLOCK_Q5_K] = 176,
      [SLM_BLOCK_Q6_K] = 210, [SLM_BLOCK_IQ4_XS] = 136};
  const char *data = (const char *)m->data + row * m->row_bytes;
  if (m->storage == SLM_ELEMENTS) {
    slm_widen(m->type, data + begin * element_bytes[m->type], end - begin, out);
  } else if (m->storage == SLM_BLOCKS) {
    int bytes = block_bytes[m->format];
    int length = bytes > 80 ? 256 : 32;
    slm_blocks_widen(m->format, data + begin / length * bytes, end - begin, out);
  } else {
    widen_codes(m, row, begin, end, out);
  }
}

// MARK: Codes

bool slm_matrix_has_codes(const struct slm_matrix *m) {
  if (m->storage == SLM_ELEMENTS) return m->type == SLM_INT8 && m->columns <= 131071;
  if (m->storage == SLM_BLOCKS) return m->format == SLM_BLOCK_Q8_0 || m->format == SLM_BLOCK_Q4_0;
  // Sums of more columns could exceed 32 bits.
  return m->zeros == NULL && m->offsets == NULL && m->group <= 131071;
}

int64_t slm_matrix_group(const struct slm_matrix *m) {
  return m->storage == SLM_ELEMENTS ? m->columns : m->storage == SLM_BLOCKS ? 32 : m->group;
}

SLM_MULTIVERSION static void subtract_middle(
    const uint8_t *restrict codes, int64_t n, int middle, int8_t *restrict out) {
  for (int64_t i = 0; i < n; i++) out[i] = (int8_t)(codes[i] - middle);
}

void slm_matrix_codes(
    const struct slm_matrix *m, int64_t row, int64_t begin, int64_t end, int8_t *out) {
  const uint8_t *data = (const uint8_t *)m->data + row * m->row_bytes;
  if (m->storage == SLM_ELEMENTS) {
    memcpy(out, data + begin, (size_t)(end - begin));
  } else if (m->storage == SLM_BLOCKS && m->format == SLM_BLOCK_Q8_0) {
    for (int64_t k = begin; k < end; k += 32) memcpy(out + k - begin, data + k / 32 * 34 + 2, 32);
  } else if (m->storage == SLM_BLOCKS) {
    for (int64_t k = begin; k < end; k += 32)
      for (int i = 0; i < 16; i++) {
        uint8_t both = data[k / 32 * 18 + 2 + i];
        out[k - begin + i] = (int8_t)((both & 15) - 8);
        out[k - begin + 16 + i] = (int8_t)((both >> 4) - 8);
      }
  } else if (m->bits == 8) {
    subtract_middle(data + begin, end - begin, 128, out);
  } else {
    uint8_t *codes = (uint8_t *)out;
    unpack(data + begin * m->bits / 8, m->bits, end - begin, codes);
    for (int64_t k = 0; k < end - begin; k++) out[k] = (int8_t)(codes[k] - (1 << (m->bits - 1)));
  }
}

void slm_matrix_scales(
    const struct slm_matrix *m, int64_t row, int64_t begin, int64_t end, float *out,
    int64_t step) {
  const char *data = (const char *)m->data + row * m->row_bytes;
  for (int64_t g = begin; g < end; g++, out += step) {
    if (m->storage == SLM_ELEMENTS)
      *out = 1;
    else if (m->storage == SLM_BLOCKS)
      *out = number(data + g * (m->format == SLM_BLOCK_Q8_0 ? 34 : 18), SLM_FLOAT16, 0);
    else
      *out = number(m->scales, m->scale_type, row * m->groups + g);
  }
}
