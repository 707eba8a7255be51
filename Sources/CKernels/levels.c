#include "slm_levels.h"

#include <math.h>
#include <string.h>

#define TEMPLATE "levels.h"
#include "templates/each_real.h"

SLM_MULTIVERSION void slm_sign_step(
    float *restrict values, const float *restrict gradient, int64_t count, float rate,
    float limit) {
  for (int64_t i = 0; i < count; i++) {
    const float sign = gradient[i] > 0 ? 1 : gradient[i] < 0 ? -1 : 0;
    const float moved = values[i] - rate * sign;
    values[i] = moved < -limit ? -limit : moved > limit ? limit : moved;
  }
}

void slm_blocks_read_field(
    const uint8_t *blocks, int64_t count, int64_t size, int64_t place, int64_t width,
    uint8_t *fields) {
  for (int64_t i = 0; i < count; i++)
    memcpy(fields + i * width, blocks + i * size + place, (size_t)width);
}

void slm_blocks_write_field(
    uint8_t *blocks, int64_t count, int64_t size, int64_t place, int64_t width, bool repeated,
    const uint8_t *fields) {
  for (int64_t i = 0; i < count; i++)
    memcpy(blocks + i * size + place, fields + (repeated ? 0 : i * width), (size_t)width);
}
