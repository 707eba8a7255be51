#include "product_blocks.h"

#include "multiversion.h"
#include "product_codes.h"

// Rows of w that are multiplied by one row of x together. Four would share what they need of x, but
// one alone is read in the order of memory, which is what counts.
#ifndef TOGETHER
#define TOGETHER 1
#endif

SLM_MULTIVERSION static void prepare(
    const float *restrict x, int64_t blocks, const float *factors, float sum_factor,
    float *restrict out) {
  for (int64_t b = 0; b < blocks; b++, x += 32, out += SLM_PREPARED)
    for (int lane = 0; lane < 8; lane++) {
      const float *four = x + 4 * lane;
      for (int k = 0; k < 4; k++) out[8 * k + lane] = four[k] * factors[k];
      out[32 + lane] = ((four[0] + four[1]) + (four[2] + four[3])) * sum_factor;
    }
}

void slm_prepare_row(int format, const float *x, int64_t depth, float *prepared) {
  static const float in_place[4] = {1, 0x1p-8f, 0x1p-16f, 0x1p-24f};
  static const float on_top[4] = {0x1p-24f, 0x1p-24f, 0x1p-24f, 0x1p-24f};
  const float *factors = in_place;
  // Minus the code of zero.
  float sum_factor = 1;
  switch (format) {
  case SLM_BLOCK_Q4_0: sum_factor = -8; break;
  case SLM_BLOCK_Q5_0: sum_factor = -16; break;
  case SLM_BLOCK_Q3_K: sum_factor = -4; break;
  case SLM_BLOCK_Q6_K: sum_factor = -32; break;
  case SLM_BLOCK_Q8_0:
  case SLM_BLOCK_IQ4_NL:
  case SLM_BLOCK_IQ4_XS: factors = on_top; break;
  default: break;
  }
  prepare(x, depth / 32, factors, sum_factor, prepared);
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
