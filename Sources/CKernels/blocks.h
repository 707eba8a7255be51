#pragma once

#include <stdint.h>
#include <string.h>

// What the block kernels share: the layouts of ggml's blocks, half-precision scales, and vectors.
// The order of every multiplication and addition is part of the formats, since results are
// compared bit by bit with other readers; hence no fused multiply-add.
#pragma STDC FP_CONTRACT OFF

// Inlined into a function that is compiled once per CPU, so that it takes that CPU's vectors.
#define SLM_INLINE static inline __attribute__((always_inline))

// Nor does a vector ever cross a real call, so that its calling convention does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

typedef uint8_t slm_u8x16 __attribute__((ext_vector_type(16)));
typedef int8_t slm_i8x16 __attribute__((ext_vector_type(16)));
typedef int32_t slm_i32x16 __attribute__((ext_vector_type(16)));
typedef float slm_f32x16 __attribute__((ext_vector_type(16)));

// Every field is bytes, so that a block may lie at any address. `d` is a scale, `m` a minimum,
// both half precision; `q` holds the low bits of the codes and `high` the bits above them.
typedef struct { uint8_t d[2], q[16]; } slm_q4_0;
typedef struct { uint8_t d[2], m[2], q[16]; } slm_q4_1;
typedef struct { uint8_t d[2], high[4], q[16]; } slm_q5_0;
typedef struct { uint8_t d[2], m[2], high[4], q[16]; } slm_q5_1;
typedef struct { uint8_t d[2], q[32]; } slm_q8_0;
typedef struct { uint8_t scales[16], q[64], d[2], m[2]; } slm_q2_k;
typedef struct { uint8_t high[32], q[64], scales[12], d[2]; } slm_q3_k;
typedef struct { uint8_t d[2], m[2], scales[12], q[128]; } slm_q4_k;
typedef struct { uint8_t d[2], m[2], scales[12], high[32], q[128]; } slm_q5_k;
typedef struct { uint8_t q[128], high[64], scales[16], d[2]; } slm_q6_k;
typedef struct { uint8_t d[2], q[16]; } slm_iq4_nl;
typedef struct { uint8_t d[2], scales_high[2], scales_low[4], q[128]; } slm_iq4_xs;

_Static_assert(sizeof(slm_q4_0) == 18, "Q4_0 has 18 bytes");
_Static_assert(sizeof(slm_q4_1) == 20, "Q4_1 has 20 bytes");
_Static_assert(sizeof(slm_q5_0) == 22, "Q5_0 has 22 bytes");
_Static_assert(sizeof(slm_q5_1) == 24, "Q5_1 has 24 bytes");
_Static_assert(sizeof(slm_q8_0) == 34, "Q8_0 has 34 bytes");
_Static_assert(sizeof(slm_q2_k) == 84, "Q2_K has 84 bytes");
_Static_assert(sizeof(slm_q3_k) == 110, "Q3_K has 110 bytes");
_Static_assert(sizeof(slm_q4_k) == 144, "Q4_K has 144 bytes");
_Static_assert(sizeof(slm_q5_k) == 176, "Q5_K has 176 bytes");
_Static_assert(sizeof(slm_q6_k) == 210, "Q6_K has 210 bytes");
_Static_assert(sizeof(slm_iq4_nl) == 18, "IQ4_NL has 18 bytes");
_Static_assert(sizeof(slm_iq4_xs) == 136, "IQ4_XS has 136 bytes");

SLM_INLINE float slm_bits_to_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

SLM_INLINE uint32_t slm_float_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Widens a little-endian half. Moving its exponent and mantissa to a float's place divides the
// value by 2^112, also when it is subnormal; infinities and NaN need the full exponent.
SLM_INLINE float slm_half_to_float(const uint8_t *bytes) {
  const uint32_t half = bytes[0] | (uint32_t)bytes[1] << 8;
  const uint32_t magnitude = (half & 0x7fff) << 13;
  const uint32_t bits = magnitude >= 0x0f800000
      ? magnitude | 0x7f800000
      : slm_float_to_bits(slm_bits_to_float(magnitude) * 0x1p112f);
  return slm_bits_to_float(bits | (half & 0x8000) << 16);
}

// Rounds to the nearest half, ties to even, beyond 65520 to infinity.
SLM_INLINE void slm_float_to_half(float value, uint8_t *bytes) {
  const uint32_t bits = slm_float_to_bits(value);
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t half;
  if (magnitude > 0x7f800000) {
    half = 0x7e00;
  } else if (magnitude >= 0x477ff000) {
    half = 0x7c00;
  } else if (magnitude < 0x38800000) {
    // One half's last subnormal bit is one unit in the last place of a float in [0.5, 1).
    half = slm_float_to_bits(slm_bits_to_float(magnitude) + 0.5f) - 0x3f000000;
  } else {
    half = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  }
  half |= bits >> 16 & 0x8000;
  bytes[0] = (uint8_t)half;
  bytes[1] = (uint8_t)(half >> 8);
}
