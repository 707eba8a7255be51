#pragma once

#include "vectors.h"

// Bits of floats, and the narrow types that are widened in more than one place.

SLM_INLINE float slm_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

SLM_INLINE uint32_t slm_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

// Moves exponent and fraction into place and lets a multiplication by a power of two correct the
// exponent's bias, which also makes subnormal numbers right.
SLM_INLINE float slm_widen_f16(uint16_t h) {
  uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
  float value = slm_from_bits(magnitude) * 0x1p112f;
  uint32_t special = magnitude >= 0x0f800000 ? 0x7f800000 | magnitude : slm_to_bits(value);
  return slm_from_bits(special | (uint32_t)(h & 0x8000) << 16);
}

SLM_INLINE float slm_widen_bf16(uint16_t b) { return slm_from_bits((uint32_t)b << 16); }
