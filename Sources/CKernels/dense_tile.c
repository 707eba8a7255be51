#include "dense_tile.h"

#include "numbers.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Tile shapes by register file: 32 registers of 512 bits hold 8 x 3 sums of sixteen lanes, 16 of
// 256 bits 6 x 2 of eight, and 16 of 128 bits 3 x 4 of four.

// MARK: Words of one float

#define LOAD(p) SLM_LOAD16(p)
#define BROADCAST(word, p) float word = *(const float *)(p)
#define ADD(sum, word, column) sum += (word) * (column)

#if defined(__x86_64__)

#define AVX512 "avx512f,avx512vl,avx512dq,avx512bw,fma"

__attribute__((target(AVX512))) SLM_WIDE static void tile_avx512(SLM_DENSE_ARGUMENTS) {
  SLM_DENSE_TILE(8, 3, slm_v16, LOAD, BROADCAST, ADD)
}

__attribute__((target("avx2,fma"))) static void tile_avx2(SLM_DENSE_ARGUMENTS) {
  SLM_DENSE_TILE(6, 1, slm_v16, LOAD, BROADCAST, ADD)
}

#endif

static void tile_portable(SLM_DENSE_ARGUMENTS) {
  SLM_DENSE_TILE(3, 1, slm_v16, LOAD, BROADCAST, ADD)
}

// MARK: Words of two bfloat16

typedef uint32_t slm_u16u __attribute__((ext_vector_type(16), aligned(1)));

#define LOAD_PAIRS(p) (*(const slm_u16u *)(p))
#define BROADCAST_PAIR(word, p) slm_u16 word = (slm_u16){} + *(const uint32_t *)(p)

#if defined(__x86_64__)

#define ADD_PAIRS(sum, word, column) \
  sum = (slm_v16)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(word), (__m512bh)(column))

__attribute__((target(AVX512 ",avx512bf16"))) SLM_WIDE static void
tile_avx512_bf16(SLM_DENSE_ARGUMENTS) {
  SLM_DENSE_TILE(8, 3, slm_u16, LOAD_PAIRS, BROADCAST_PAIR, ADD_PAIRS)
}

#endif

// Numbers below the smallest normal one become zero of their sign.
SLM_INLINE void flush(slm_u16 *bits) {
  slm_u16 tiny = (slm_u16)((*bits & 0x7f800000) == 0);
  *bits &= ~tiny | 0x80000000;
}

// What VDPBF16PS does, as Intel documents it: inputs and results flushed to zero where they are
// below the normal range, the products of odd neighbours added first, then those of even ones,
// each sum rounded to the nearest. Products of two bfloat16 are exact in float32.
SLM_INLINE void add_pairs(slm_v16 *sum, const slm_u16 *word, const slm_u16 *column) {
#pragma STDC FP_CONTRACT OFF
  for (int odd = 1; odd >= 0; odd--) {
    slm_u16 a = odd ? *word & 0xffff0000 : *word << 16;
    slm_u16 b = odd ? *column & 0xffff0000 : *column << 16;
    slm_v16 x, y, product;
    slm_u16 bits;
    flush(&a);
    flush(&b);
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    product = x * y;
    *sum += product;
    memcpy(&bits, sum, sizeof bits);
    flush(&bits);
    memcpy(sum, &bits, sizeof bits);
  }
}

#define EMULATE_PAIRS(sum, word, column) add_pairs(&sum, &word, &column)

static void tile_emulated_bf16(SLM_DENSE_ARGUMENTS) {
  SLM_DENSE_TILE(8, 3, slm_u16, LOAD_PAIRS, BROADCAST_PAIR, EMULATE_PAIRS)
}

// MARK: Choice

static const struct slm_dense_variant portable = {"portable", 3, 16, false, tile_portable};
static const struct slm_dense_variant emulated = {
    "bfloat16 emulated", 8, 48, true, tile_emulated_bf16};

static const struct slm_dense_variant *floats[4] = {&portable}, *pairs[3] = {&emulated};

const struct slm_dense_variant *slm_dense_variant_at(bool of_pairs, int index) {
  if (of_pairs) return index < 3 ? pairs[index] : NULL;
  return index < 4 ? floats[index] : NULL;
}

bool slm_has_bfloat16(void) { return pairs[0] != &emulated; }

#if defined(__x86_64__)
static const struct slm_dense_variant avx512 = {"avx512", 8, 48, false, tile_avx512};
static const struct slm_dense_variant avx2 = {"avx2", 6, 16, false, tile_avx2};
static const struct slm_dense_variant avx512_bf16 = {
    "avx512 bfloat16", 8, 48, true, tile_avx512_bf16};

__attribute__((constructor)) static void choose_variants(void) {
  int count = 0;
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
      && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    floats[count++] = &avx512;
    if (__builtin_cpu_supports("avx512bf16")) {
      pairs[0] = &avx512_bf16;
      pairs[1] = &emulated;
    }
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) floats[count++] = &avx2;
  floats[count] = &portable;
}
#endif
