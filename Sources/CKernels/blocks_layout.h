#pragma once

#include "blocks.h"
#include "include/slm_blocks.h"

// Where a block keeps its codes, and the numbers that its codes stand for.
//
// A block's codes lie in one or two planes: `low` holds their low bits, `high` those above. In a
// plane of `bits` bits, values are taken `run` at a time: the first run fills the lowest bits of
// `run` bytes, the next run the bits above, until the bytes are full and the next ones begin.
typedef struct { int bits, run, at; } slm_plane;

typedef struct {
  int length, size, sub_length, code_count;
  int first_level;  // the number that code 0 stands for; the others follow it by ones
  int flip;         // what is exclusive-or'ed to a code for storage
  slm_plane low, high;
} slm_layout;

#define SLM_AT(format, field) ((int)offsetof(slm_##format, field))

// Returns 0 for a format that is not listed.
SLM_INLINE int slm_layout_of(int format, slm_layout *layout) {
  const slm_plane none = {0, 1, 0};
#define SLM_LAYOUT(name, format, ...)                                         \
  case name:                                                                  \
    *layout = (slm_layout){__VA_ARGS__};                                      \
    layout->size = sizeof(slm_##format);                                      \
    return 1;
  switch (format) {
    SLM_LAYOUT(SLM_BLOCK_Q4_0, q4_0, 32, 0, 32, 16, -8, 0, {4, 16, SLM_AT(q4_0, q)}, none)
    SLM_LAYOUT(SLM_BLOCK_Q4_1, q4_1, 32, 0, 32, 16, 0, 0, {4, 16, SLM_AT(q4_1, q)}, none)
    SLM_LAYOUT(SLM_BLOCK_Q5_0, q5_0, 32, 0, 32, 32, -16, 0, {4, 16, SLM_AT(q5_0, q)},
               {1, 1, SLM_AT(q5_0, high)})
    SLM_LAYOUT(SLM_BLOCK_Q5_1, q5_1, 32, 0, 32, 32, 0, 0, {4, 16, SLM_AT(q5_1, q)},
               {1, 1, SLM_AT(q5_1, high)})
    SLM_LAYOUT(SLM_BLOCK_Q8_0, q8_0, 32, 0, 32, 256, -128, 128, {8, 32, SLM_AT(q8_0, q)}, none)
    SLM_LAYOUT(SLM_BLOCK_Q2_K, q2_k, 256, 0, 16, 4, 0, 0, {2, 32, SLM_AT(q2_k, q)}, none)
    SLM_LAYOUT(SLM_BLOCK_Q3_K, q3_k, 256, 0, 16, 8, -4, 0, {2, 32, SLM_AT(q3_k, q)},
               {1, 32, SLM_AT(q3_k, high)})
    SLM_LAYOUT(SLM_BLOCK_Q4_K, q4_k, 256, 0, 32, 16, 0, 0, {4, 32, SLM_AT(q4_k, q)}, none)
    SLM_LAYOUT(SLM_BLOCK_Q5_K, q5_k, 256, 0, 32, 32, 0, 0, {4, 32, SLM_AT(q5_k, q)},
               {1, 32, SLM_AT(q5_k, high)})
    SLM_LAYOUT(SLM_BLOCK_Q6_K, q6_k, 256, 0, 16, 64, -32, 0, {4, 64, SLM_AT(q6_k, q)},
               {2, 32, SLM_AT(q6_k, high)})
    SLM_LAYOUT(SLM_BLOCK_IQ4_NL, iq4_nl, 32, 0, 32, 16, 0, 0, {4, 16, SLM_AT(iq4_nl, q)}, none)
    SLM_LAYOUT(SLM_BLOCK_IQ4_XS, iq4_xs, 256, 0, 32, 16, 0, 0, {4, 16, SLM_AT(iq4_xs, q)}, none)
  default:
    return 0;
  }
#undef SLM_LAYOUT
}

SLM_INLINE int slm_is_iq4(int format) {
  return format == SLM_BLOCK_IQ4_NL || format == SLM_BLOCK_IQ4_XS;
}

SLM_INLINE void slm_put_plane(
    slm_plane plane, const uint8_t *codes, int shift, int flip, int length, uint8_t *block) {
  const int mask = (1 << plane.bits) - 1;
  uint8_t *bytes = block + plane.at;
  for (int first = 0; first < length; bytes += plane.run) {
    memset(bytes, 0, (size_t)plane.run);
    for (int bit = 0; bit < 8; bit += plane.bits, first += plane.run) {
      for (int j = 0; j < plane.run; j++) {
        bytes[j] |= (uint8_t)((((codes[first + j] ^ flip) >> shift) & mask) << bit);
      }
    }
  }
}

SLM_INLINE void slm_get_plane(
    slm_plane plane, const uint8_t *block, int shift, int flip, int length, uint8_t *codes) {
  const int mask = (1 << plane.bits) - 1;
  const uint8_t *bytes = block + plane.at;
  for (int first = 0; first < length; bytes += plane.run) {
    for (int bit = 0; bit < 8; bit += plane.bits, first += plane.run) {
      for (int j = 0; j < plane.run; j++) {
        const int code = ((bytes[j] >> bit & mask) << shift) ^ flip;
        codes[first + j] = (uint8_t)(shift ? codes[first + j] | code : code);
      }
    }
  }
}

// Writes one block's codes, leaving its scales.
SLM_INLINE void slm_put_codes(const slm_layout *layout, const uint8_t *codes, uint8_t *block) {
  slm_put_plane(layout->low, codes, 0, layout->flip, layout->length, block);
  if (layout->high.bits) {
    slm_put_plane(layout->high, codes, layout->low.bits, 0, layout->length, block);
  }
}

SLM_INLINE void slm_get_codes(const slm_layout *layout, const uint8_t *block, uint8_t *codes) {
  slm_get_plane(layout->low, block, 0, layout->flip, layout->length, codes);
  if (layout->high.bits) {
    slm_get_plane(layout->high, block, layout->low.bits, 0, layout->length, codes);
  }
}
