#include "integer_tile.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

// Every variant rounds after each operation on floats, so that all give the same bits.
#pragma STDC FP_CONTRACT OFF

// MARK: Words of two numbers of 16 bits

// 128 * 127 * 2 fits the 32 bits of a pair's products by far.
#define ADD_PAIRS(sum, word, column) \
  sum += ((word) << 16 >> 16) * ((column) << 16 >> 16) + ((word) >> 16) * ((column) >> 16)

static void tile_portable(const struct slm_integer_tile *t) {
  SLM_INTEGER_TILE(2, 4, 4, slm_i4, slm_v4, ADD_PAIRS)
}

#if defined(__x86_64__)

#define ADD_PAIRS256(sum, word, column) \
  sum = (slm_i8)_mm256_add_epi32(       \
      (__m256i)(sum), _mm256_madd_epi16((__m256i)(word), (__m256i)(column)))

__attribute__((target("avx2"))) static void tile_avx2(const struct slm_integer_tile *t) {
  SLM_INTEGER_TILE(6, 2, 8, slm_i8, slm_v8, ADD_PAIRS256)
}

#define ADD_PAIRS512(sum, word, column)  \
  sum = (slm_i16)_mm512_add_epi32(       \
      (__m512i)(sum), _mm512_madd_epi16((__m512i)(word), (__m512i)(column)))

#define AVX512 "avx512f,avx512vl,avx512dq,avx512bw"

__attribute__((target(AVX512))) SLM_WIDE static void
tile_avx512(const struct slm_integer_tile *t) {
  SLM_INTEGER_TILE(8, 3, 16, slm_i16, slm_v16, ADD_PAIRS512)
}

// MARK: Words of four numbers of 8 bits

#define ADD_QUADS512(sum, word, column) \
  sum = (slm_i16)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(word), (__m512i)(column))

__attribute__((target(AVX512 ",avx512vnni"))) SLM_WIDE static void
tile_avx512_vnni(const struct slm_integer_tile *t) {
  SLM_INTEGER_TILE(8, 3, 16, slm_i16, slm_v16, ADD_QUADS512)
}

#define ADD_QUADS256(sum, word, column) \
  sum = (slm_i8)_mm256_dpbusd_avx_epi32((__m256i)(sum), (__m256i)(word), (__m256i)(column))

__attribute__((target("avx2,avxvnni"))) static void
tile_avx_vnni(const struct slm_integer_tile *t) {
  SLM_INTEGER_TILE(6, 2, 8, slm_i8, slm_v8, ADD_QUADS256)
}

#endif

// What VPDPBUSD does: unsigned numbers of the first by signed ones of the second, the four products
// added to the sum without saturation.
#define EMULATE_QUADS(sum, word, column)               \
  for (int shift = 0; shift < 32; shift += 8)          \
  sum += ((word) >> shift & 255) * ((column) << (24 - shift) >> 24)

static void tile_emulated(const struct slm_integer_tile *t) {
  SLM_INTEGER_TILE(8, 3, 16, slm_i16, slm_v16, EMULATE_QUADS)
}

// MARK: Choice

static const struct slm_integer_variant portable = {"portable", 2, 16, false, tile_portable};
static const struct slm_integer_variant emulated = {"VNNI emulated", 8, 48, true, tile_emulated};

static const struct slm_integer_variant *variants[7] = {&portable, &emulated};

const struct slm_integer_variant *slm_integer_variant_at(int index) {
  return index >= 0 && index < 7 ? variants[index] : NULL;
}

#if defined(__x86_64__)
static const struct slm_integer_variant avx512_vnni = {
    "avx512 VNNI", 8, 48, true, tile_avx512_vnni};
static const struct slm_integer_variant avx_vnni = {"avx VNNI", 6, 16, true, tile_avx_vnni};
static const struct slm_integer_variant avx512 = {"avx512", 8, 48, false, tile_avx512};
static const struct slm_integer_variant avx2 = {"avx2", 6, 16, false, tile_avx2};

// AVX-VNNI has no name that every compiler's run-time support knows.
static bool has_avx_vnni(void) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0
      && (a & 1 << 4) != 0;
}

__attribute__((constructor)) static void choose_variants(void) {
  int count = 0;
  __builtin_cpu_init();
  bool has_512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
      && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (has_512 && __builtin_cpu_supports("avx512vnni")) variants[count++] = &avx512_vnni;
  if (has_avx_vnni()) variants[count++] = &avx_vnni;
  if (has_512) variants[count++] = &avx512;
  if (__builtin_cpu_supports("avx2")) variants[count++] = &avx2;
  variants[count++] = &portable;
  variants[count++] = &emulated;
}
#endif
