#include "slm_optimizer.h"

#include "multiversion.h"
#include "numbers.h"

// Not fused into multiply-adds, which some CPUs lack: resuming elsewhere gives the same bits.
#pragma STDC FP_CONTRACT OFF

// The intrinsic, unlike the library's function, sets no errno and so becomes vectors.
#define ROOT(x) __builtin_elementwise_sqrt(x)

typedef float unaligned_f32 __attribute__((aligned(1)));
typedef double unaligned_f64 __attribute__((aligned(1)));

#define REAL float
#define UNALIGNED unaligned_f32
#define NAME(x) x##_f32
#include "templates/optimizer.h"
#undef REAL
#undef UNALIGNED
#undef NAME

#define REAL double
#define UNALIGNED unaligned_f64
#define NAME(x) x##_f64
#include "templates/optimizer.h"
#undef REAL
#undef UNALIGNED
#undef NAME

// MARK: Moments as codes

// The codes of at most a block of numbers. Cells are found in vectors, before anything is looked up;
// `restrict` lets the tables' addresses stay in registers while bytes are written.
SLM_INLINE void nearest_codes(
    const slm_moment_map *map, const float *restrict numbers, int64_t count,
    uint8_t *restrict codes) {
  const uint8_t *restrict starts = map->starts;
  const float *restrict middles = map->middles;
  int32_t cells[SLM_MOMENT_BLOCK];
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = slm_to_bits(numbers[i]);
    int32_t cell = (int32_t)((bits & 0x7fffffff) >> 16) - SLM_MOMENT_FIRST_CELL;
    cell = cell < 0 ? 0 : cell;
    cell = cell >= SLM_MOMENT_CELLS ? SLM_MOMENT_CELLS - 1 : cell;
    cells[i] = cell + (int32_t)(bits >> 31) * SLM_MOMENT_CELLS;
  }
  for (int64_t i = 0; i < count; i++) {
    const uint32_t code = starts[cells[i]];
    codes[i] = (uint8_t)(code + (numbers[i] > middles[code]));
  }
}

SLM_MULTIVERSION void slm_moment_codes(
    slm_moment_map map, const float *numbers, int64_t count, uint8_t *codes) {
  for (int64_t i = 0; i < count; i += SLM_MOMENT_BLOCK) {
    const int64_t length = count - i < SLM_MOMENT_BLOCK ? count - i : SLM_MOMENT_BLOCK;
    nearest_codes(&map, numbers + i, length, codes + i);
  }
}

SLM_INLINE float greatest_magnitude(const float *x, int64_t count) {
  float lanes[16] = {0}, most = 0;
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int j = 0; j < 16; j++) {
      const float magnitude = x[i + j] < 0 ? -x[i + j] : x[i + j];
      lanes[j] = magnitude > lanes[j] ? magnitude : lanes[j];
    }
  for (int j = 0; i < count; i++, j++) {
    const float magnitude = x[i] < 0 ? -x[i] : x[i];
    lanes[j] = magnitude > lanes[j] ? magnitude : lanes[j];
  }
  for (int j = 0; j < 16; j++) most = lanes[j] > most ? lanes[j] : most;
  return most;
}

SLM_MULTIVERSION static void adamw_block(
    const slm_adamw *settings, const slm_moment_map *first_map, const slm_moment_map *second_map,
    const float *gradient, int64_t count, float *parameter, uint8_t *first, float *first_scale,
    uint8_t *second, float *second_scale) {
  float m[SLM_MOMENT_BLOCK], v[SLM_MOMENT_BLOCK];
  const float *restrict m_values = first_map->values, *restrict v_values = second_map->values;
  for (int64_t i = 0; i < count; i++) m[i] = m_values[first[i]];
  for (int64_t i = 0; i < count; i++) v[i] = v_values[second[i]];
  const float m_scale = *first_scale, v_scale = *second_scale;
  for (int64_t i = 0; i < count; i++) {
    m[i] *= m_scale;
    v[i] *= v_scale;
  }
  adamw_elements_f32(*settings, gradient, count, parameter, m, v);
  const float m_most = greatest_magnitude(m, count), v_most = greatest_magnitude(v, count);
  *first_scale = m_most;
  *second_scale = v_most;
  // A block of zeros: any code times 0.
  const float m_divisor = m_most > 0 ? m_most : 1, v_divisor = v_most > 0 ? v_most : 1;
  for (int64_t i = 0; i < count; i++) {
    m[i] /= m_divisor;
    v[i] /= v_divisor;
  }
  nearest_codes(first_map, m, count, first);
  nearest_codes(second_map, v, count, second);
  // Rounded up rather than to 0, which would leave epsilon alone under the first moment.
  for (int64_t i = 0; i < count; i++)
    second[i] = second[i] == 0 && v[i] > 0 ? 1 : second[i];
}

void slm_adamw_blocks(
    slm_adamw settings, slm_moment_map first_map, slm_moment_map second_map,
    const float *gradient, int64_t count, float *parameter, uint8_t *first, float *first_scales,
    uint8_t *second, float *second_scales) {
  for (int64_t block = 0, i = 0; i < count; block++, i += SLM_MOMENT_BLOCK) {
    const int64_t length = count - i < SLM_MOMENT_BLOCK ? count - i : SLM_MOMENT_BLOCK;
    adamw_block(
        &settings, &first_map, &second_map, gradient + i, length, parameter + i, first + i,
        first_scales + block, second + i, second_scales + block);
  }
}
