#include "product_blocks.h"

#include "multiversion.h"
#include "product_codes.h"

// Rounds 32 columns to integers of at most 32767, kept as floats, and returns their scale: NaN where
// a column is not finite, so that every product is NaN then.
SLM_INLINE float round_columns(const float *restrict x, float *restrict rounded) {
  float largest = 0, not_finite = 0;
  for (int i = 0; i < 32; i++) {
    float magnitude = __builtin_fabsf(x[i]);
    largest = magnitude > largest ? magnitude : largest;
    not_finite += x[i] * 0;
  }
  // The inverse of less would be infinite; such columns count as zeros.
  float inverse = largest > 0x1p-112f ? 32767 / largest : 0;
  // Adding and subtracting this rounds to whole numbers, ties to even.
  const float rounding = 0x1.8p23f;
  for (int i = 0; i < 32; i++) rounded[i] = (x[i] * inverse + rounding) - rounding;
  return largest / 32767 + not_finite;
}

SLM_MULTIVERSION static void prepare(
    const float *restrict x, int64_t blocks, int middle, float *restrict out) {
  for (int64_t b = 0; b < blocks; b++, x += 32, out += SLM_PREPARED) {
    float rounded[32];
    int16_t words[32];
    int32_t sums[8];
    float scale = round_columns(x, rounded);
    for (int lane = 0; lane < 8; lane++) {
      int32_t four[4];
      // Of a column that is not finite nothing counts but the scale.
      for (int k = 0; k < 4; k++) {
        float number = rounded[4 * lane + k];
        four[k] = number >= -32767 && number <= 32767 ? (int32_t)number : 0;
        words[16 * (k % 2) + 2 * lane + k / 2] = (int16_t)four[k];
      }
      int32_t sum = (four[0] + four[1]) + (four[2] + four[3]);
      float product = (float)sum * scale;
      sums[lane] = -middle * sum;
      if (middle == 0) memcpy(&sums[lane], &product, 4);
    }
    memcpy(out, words, 64);
    memcpy(out + SLM_PREPARED_SUMS, sums, 32);
    out[SLM_PREPARED_SCALE] = scale;
  }
}

void slm_prepare_row(int format, const float *x, int64_t depth, float *prepared) {
  int middle = 0;
  switch (format) {
  case SLM_BLOCK_Q4_0: middle = 8; break;
  case SLM_BLOCK_Q5_0: middle = 16; break;
  case SLM_BLOCK_Q3_K: middle = 4; break;
  case SLM_BLOCK_Q6_K: middle = 32; break;
  default: break;
  }
  prepare(x, depth / 32, middle, prepared);
}

// MARK: Variants

#define SLM_ROLL _Pragma("clang loop unroll(disable) vectorize(disable)")

SLM_INLINE void look_up(slm_codes32 *codes) {
  uint8_t bytes[32];
  *codes &= 0x0f0f0f0f;
  memcpy(bytes, codes, 32);
  SLM_ROLL for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)slm_iq4_values[bytes[i]];
  memcpy(codes, bytes, 32);
}

// Products of words, added in pairs: one instruction on x86, which the compiler finds where it is
// not asked for.
SLM_INLINE void multiply_words(const slm_words16 *a, const slm_words16 *b, slm_signed8 *sums) {
  slm_i16 products = __builtin_convertvector(*a, slm_i16) * __builtin_convertvector(*b, slm_i16);
  *sums = __builtin_shufflevector(products, products, 0, 2, 4, 6, 8, 10, 12, 14)
        + __builtin_shufflevector(products, products, 1, 3, 5, 7, 9, 11, 13, 15);
}

#define NAME(x) x##_portable
#define TARGET
#define SUB_BLOCKS SLM_ROLL
#define LOOK_UP look_up
#include "templates/block_dots.h"

#if defined(__x86_64__)

typedef char slm_char32 __attribute__((vector_size(32)));

// A table of sixteen bytes is looked up in by one instruction, for which the compiler has to be
// asked.
__attribute__((target("avx2"))) SLM_INLINE void look_up_avx2(slm_codes32 *codes) {
  slm_bytes16 half;
  memcpy(&half, slm_iq4_values, 16);
  slm_bytes32 table = __builtin_shufflevector(
      half, half, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8,
      9, 10, 11, 12, 13, 14, 15);
  *codes = (slm_codes32)__builtin_ia32_pshufb256(
      (slm_char32)table, (slm_char32)(*codes & 0x0f0f0f0f));
}

#define NAME(x) x##_avx2
#define TARGET __attribute__((target("arch=x86-64-v3")))
#define SUB_BLOCKS SLM_UNROLL
#define LOOK_UP look_up_avx2
#include "templates/block_dots.h"

#define NAME(x) x##_avx512
#define TARGET __attribute__((target("arch=x86-64-v4")))
#define SUB_BLOCKS SLM_UNROLL
#define LOOK_UP look_up_avx2
#include "templates/block_dots.h"

#endif

slm_block_dots *slm_block_dots_of(int format) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return block_dots_avx512(format);
  if (__builtin_cpu_supports("x86-64-v3")) return block_dots_avx2(format);
#endif
  return block_dots_portable(format);
}
