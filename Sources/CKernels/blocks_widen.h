#pragma once

#include "blocks.h"
#include "blocks_iq4.h"

// One block to floats, per format. Codes become small signed integers, 16 at a time, which are
// then converted and scaled.

SLM_INLINE slm_u8x16 slm_load(const uint8_t *bytes) {
  slm_u8x16 vector;
  memcpy(&vector, bytes, sizeof vector);
  return vector;
}

// out = scale · codes
#define SLM_SCALED(out, codes, scale)                                         \
  do {                                                                        \
    slm_f32x16 slm_values = __builtin_convertvector((codes), slm_f32x16);     \
    slm_values = slm_values * (scale);                                        \
    memcpy((out), &slm_values, sizeof slm_values);                            \
  } while (0)

// out = scale · codes + shift
#define SLM_SHIFTED(out, codes, scale, shift)                                 \
  do {                                                                        \
    slm_f32x16 slm_values = __builtin_convertvector((codes), slm_f32x16);     \
    slm_values = slm_values * (scale);                                        \
    slm_values = slm_values + (shift);                                        \
    memcpy((out), &slm_values, sizeof slm_values);                            \
  } while (0)

#define SLM_SIGNED(vector) ((slm_i8x16)(vector))

// The fifth bits of 16 codes: 16 where the bit is set, else 0.
SLM_INLINE slm_u8x16 slm_fifth_bits(const uint8_t *two) {
  const slm_u8x16 bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8_t a = two[0], b = two[1];
  const slm_u8x16 bytes = {a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b};
  return (slm_u8x16)((bytes & bit) != 0) & (uint8_t)16;
}

SLM_INLINE void slm_widen_q4_0(const slm_q4_0 *block, float *out) {
  const float d = slm_half_to_float(block->d);
  const slm_u8x16 q = slm_load(block->q);
  SLM_SCALED(out, SLM_SIGNED(q & (uint8_t)15) - (int8_t)8, d);
  SLM_SCALED(out + 16, SLM_SIGNED(q >> (uint8_t)4) - (int8_t)8, d);
}

SLM_INLINE void slm_widen_q4_1(const slm_q4_1 *block, float *out) {
  const float d = slm_half_to_float(block->d), m = slm_half_to_float(block->m);
  const slm_u8x16 q = slm_load(block->q);
  SLM_SHIFTED(out, q & (uint8_t)15, d, m);
  SLM_SHIFTED(out + 16, q >> (uint8_t)4, d, m);
}

SLM_INLINE void slm_widen_q5_0(const slm_q5_0 *block, float *out) {
  const float d = slm_half_to_float(block->d);
  const slm_u8x16 q = slm_load(block->q);
  const slm_u8x16 low = (q & (uint8_t)15) | slm_fifth_bits(block->high);
  const slm_u8x16 high = (q >> (uint8_t)4) | slm_fifth_bits(block->high + 2);
  SLM_SCALED(out, SLM_SIGNED(low) - (int8_t)16, d);
  SLM_SCALED(out + 16, SLM_SIGNED(high) - (int8_t)16, d);
}

SLM_INLINE void slm_widen_q5_1(const slm_q5_1 *block, float *out) {
  const float d = slm_half_to_float(block->d), m = slm_half_to_float(block->m);
  const slm_u8x16 q = slm_load(block->q);
  SLM_SHIFTED(out, (q & (uint8_t)15) | slm_fifth_bits(block->high), d, m);
  SLM_SHIFTED(out + 16, (q >> (uint8_t)4) | slm_fifth_bits(block->high + 2), d, m);
}

SLM_INLINE void slm_widen_q8_0(const slm_q8_0 *block, float *out) {
  const float d = slm_half_to_float(block->d);
  SLM_SCALED(out, SLM_SIGNED(slm_load(block->q)), d);
  SLM_SCALED(out + 16, SLM_SIGNED(slm_load(block->q + 16)), d);
}

// Sixteen groups of 16 codes of 2 bits; each group has a 4-bit scale and a 4-bit minimum.
SLM_INLINE void slm_widen_q2_k(const slm_q2_k *block, float *out) {
  const float d = slm_half_to_float(block->d), m = slm_half_to_float(block->m);
  for (int group = 0; group < 16; group++, out += 16) {
    const uint8_t scale = block->scales[group];
    const slm_u8x16 q = slm_load(block->q + group / 8 * 32 + group % 2 * 16);
    const slm_u8x16 codes = q >> (uint8_t)(group % 8 / 2 * 2) & (uint8_t)3;
    SLM_SHIFTED(out, codes, d * (float)(scale & 15), -(m * (float)(scale >> 4)));
  }
}

// Sixteen groups of 16 codes of 3 bits, the highest of which means “not minus four”; each group
// has a scale of 6 bits, the low four in bytes 0 to 7, the high two in bytes 8 to 11.
SLM_INLINE void slm_widen_q3_k(const slm_q3_k *block, float *out) {
  const float d = slm_half_to_float(block->d);
  for (int group = 0; group < 16; group++, out += 16) {
    const int low = block->scales[group % 8] >> group / 8 * 4 & 15;
    const int high = block->scales[8 + group % 4] >> group / 4 * 2 & 3;
    const slm_u8x16 q = slm_load(block->q + group / 8 * 32 + group % 2 * 16);
    const slm_u8x16 h = slm_load(block->high + group % 2 * 16) >> (uint8_t)(group / 2);
    const slm_u8x16 codes = (q >> (uint8_t)(group % 8 / 2 * 2) & (uint8_t)3)
        | (h & (uint8_t)1) << (uint8_t)2;
    SLM_SCALED(out, SLM_SIGNED(codes) - (int8_t)4, d * (float)((low | high << 4) - 32));
  }
}

// The 6-bit scale and minimum of group `j` of eight, packed into 12 bytes: the first four groups
// in the low six bits of bytes 0 to 7, the others in the nibbles of bytes 8 to 11, their high
// bits above those of the first four.
SLM_INLINE void slm_packed_scale(const uint8_t *s, int j, float *scale, float *minimum) {
  const int first = j < 4;
  *scale = (float)(first ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] & 0xc0) >> 2);
  *minimum = (float)(first ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] & 0xc0) >> 2);
}

// Eight groups of 32 codes of 4 bits, two groups to every 32 bytes.
SLM_INLINE void slm_widen_q4_k(const slm_q4_k *block, float *out) {
  const float d = slm_half_to_float(block->d), m = slm_half_to_float(block->m);
  for (int group = 0; group < 8; group++) {
    float scale, minimum;
    slm_packed_scale(block->scales, group, &scale, &minimum);
    for (int half = 0; half < 2; half++, out += 16) {
      const slm_u8x16 q = slm_load(block->q + group / 2 * 32 + half * 16);
      const slm_u8x16 codes = q >> (uint8_t)(group % 2 * 4) & (uint8_t)15;
      SLM_SHIFTED(out, codes, d * scale, -(m * minimum));
    }
  }
}

SLM_INLINE void slm_widen_q5_k(const slm_q5_k *block, float *out) {
  const float d = slm_half_to_float(block->d), m = slm_half_to_float(block->m);
  for (int group = 0; group < 8; group++) {
    float scale, minimum;
    slm_packed_scale(block->scales, group, &scale, &minimum);
    for (int half = 0; half < 2; half++, out += 16) {
      const slm_u8x16 q = slm_load(block->q + group / 2 * 32 + half * 16);
      const slm_u8x16 h = slm_load(block->high + half * 16) >> (uint8_t)group & (uint8_t)1;
      const slm_u8x16 codes = (q >> (uint8_t)(group % 2 * 4) & (uint8_t)15) | h << (uint8_t)4;
      SLM_SHIFTED(out, codes, d * scale, -(m * minimum));
    }
  }
}

// Sixteen groups of 16 codes of 6 bits with signed 8-bit scales. Within each half of 128, the
// low bits of the first 64 codes are low nibbles, those of the others high nibbles.
SLM_INLINE void slm_widen_q6_k(const slm_q6_k *block, float *out) {
  const float d = slm_half_to_float(block->d);
  for (int group = 0; group < 16; group++, out += 16) {
    const int in_half = group % 8;
    const slm_u8x16 q = slm_load(block->q + group / 8 * 64 + in_half % 4 * 16);
    const slm_u8x16 h = slm_load(block->high + group / 8 * 32 + in_half % 2 * 16);
    const slm_u8x16 codes = (q >> (uint8_t)(in_half / 4 * 4) & (uint8_t)15)
        | (h >> (uint8_t)(in_half / 2 * 2) & (uint8_t)3) << (uint8_t)4;
    SLM_SCALED(out, SLM_SIGNED(codes) - (int8_t)32, d * (float)(int8_t)block->scales[group]);
  }
}

// Sixteen bytes to the 32 values of their low and high nibbles, scaled.
SLM_INLINE void slm_widen_iq4(const uint8_t *q, float scale, float *out) {
  int8_t low[16], high[16];
  for (int j = 0; j < 16; j++) {
    low[j] = slm_iq4_values[q[j] & 15];
    high[j] = slm_iq4_values[q[j] >> 4];
  }
  SLM_SCALED(out, SLM_SIGNED(slm_load((const uint8_t *)low)), scale);
  SLM_SCALED(out + 16, SLM_SIGNED(slm_load((const uint8_t *)high)), scale);
}

SLM_INLINE void slm_widen_iq4_nl(const slm_iq4_nl *block, float *out) {
  slm_widen_iq4(block->q, slm_half_to_float(block->d), out);
}

// Eight groups of 32 with scales of 6 bits, four in `scales_low` and two in `scales_high`.
SLM_INLINE void slm_widen_iq4_xs(const slm_iq4_xs *block, float *out) {
  const float d = slm_half_to_float(block->d);
  const int all_high = block->scales_high[0] | block->scales_high[1] << 8;
  for (int group = 0; group < 8; group++) {
    const int low = block->scales_low[group / 2] >> group % 2 * 4 & 15;
    const int high = all_high >> 2 * group & 3;
    slm_widen_iq4(block->q + 16 * group, d * (float)((low | high << 4) - 32), out + 32 * group);
  }
}
