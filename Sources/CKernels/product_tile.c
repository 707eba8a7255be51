#include "product_tile.h"

// Tile shapes by register file: 32 registers of 512 bits hold 8 x 3 accumulators of sixteen
// lanes, 16 of 256 bits 6 x 2, and 16 of 128 bits 3 x 4. Rows that are left over take shorter
// tiles of the same loop.

#define SLM_EACH_TILE(V, FULL)           \
  for (; rows >= FULL; rows -= FULL) {   \
    SLM_TILE(V, FULL);                   \
    w += FULL * row_step;                \
    out += FULL * SLM_PANEL;             \
  }

#define SLM_SWEEP_ARGUMENTS                                                                  \
  int64_t rows, int64_t depth, const float *restrict x, const float *restrict w,             \
      int64_t row_step, int64_t depth_step, float *restrict out, bool accumulate

#if defined(__x86_64__)

#define SLM_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma"))) SLM_WIDE
#define SLM_AVX2 __attribute__((target("avx2,fma")))

#define SLM_SWEEP512(V)                                              \
  SLM_AVX512 static void sweep512_##V(SLM_SWEEP_ARGUMENTS) {         \
    SLM_EACH_TILE(V, 8)                                              \
    SLM_EACH_TILE(V, 4)                                              \
    SLM_EACH_TILE(V, 1)                                              \
  }
SLM_SWEEP512(1)
SLM_SWEEP512(2)
SLM_SWEEP512(3)

static void sweep_avx512(int vectors, SLM_SWEEP_ARGUMENTS) {
  if (vectors == 3) sweep512_3(rows, depth, x, w, row_step, depth_step, out, accumulate);
  if (vectors == 2) sweep512_2(rows, depth, x, w, row_step, depth_step, out, accumulate);
  if (vectors == 1) sweep512_1(rows, depth, x, w, row_step, depth_step, out, accumulate);
}

SLM_AVX2 static void sweep256(SLM_SWEEP_ARGUMENTS) {
  SLM_EACH_TILE(1, 6)
  SLM_EACH_TILE(1, 4)
  SLM_EACH_TILE(1, 2)
  SLM_EACH_TILE(1, 1)
}

static void sweep_avx2(int vectors, SLM_SWEEP_ARGUMENTS) {
  for (int v = 0; v < vectors; v++)
    sweep256(rows, depth, x + 16 * v, w, row_step, depth_step, out + 16 * v, accumulate);
}

#endif

static void sweep128(SLM_SWEEP_ARGUMENTS) {
  SLM_EACH_TILE(1, 3)
  SLM_EACH_TILE(1, 1)
}

static void sweep_portable(int vectors, SLM_SWEEP_ARGUMENTS) {
  for (int v = 0; v < vectors; v++)
    sweep128(rows, depth, x + 16 * v, w, row_step, depth_step, out + 16 * v, accumulate);
}

static slm_tile_sweep *variants[4] = {sweep_portable};

slm_tile_sweep *slm_sweep = sweep_portable;

slm_tile_sweep *slm_sweep_variant(int index) { return index < 4 ? variants[index] : NULL; }

#if defined(__x86_64__)
__attribute__((constructor)) static void choose_sweep(void) {
  int count = 0;
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
      && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    variants[count++] = sweep_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    variants[count++] = sweep_avx2;
  variants[count] = sweep_portable;
  slm_sweep = variants[0];
}
#endif
