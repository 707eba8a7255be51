#include "attention_tile.h"
#include "exponential.h"
#include "multiversion.h"
#include "slm_parallel.h"

// Keys in a tile: with 48 queries the scores are 12 KiB and stay in the first cache.
#define KEYS 64

struct softmax {
  float largest[SLM_PANEL], sum[SLM_PANEL], correction[SLM_PANEL];
};

int64_t slm_attention_tile_count(const struct slm_attention *a) {
  return a->sequences * a->key_heads * slm_attention_panels(a);
}

// Turns scores into exponentials relative to the largest score so far, and says by how much
// what was summed before must shrink.
SLM_MULTIVERSION static void exponentiate(
    float *scores, int64_t count, int64_t width, struct softmax *state) {
  for (int64_t v = 0; v < width; v += 16) {
    slm_v16 before = SLM_LOAD16(state->largest + v), largest = before, sum = {};
    for (int64_t s = 0; s < count; s++)
      largest = SLM_LARGER16(SLM_LOAD16(scores + s * SLM_PANEL + v), largest);
    SLM_STORE16(state->largest + v, largest);
    // A row that has seen no key yet has no largest score to subtract.
    slm_i16 none = largest == (slm_v16){} - INFINITY;
    slm_v16 base = none ? (slm_v16){} : largest, correction = before - base;
    slm_exp16(&correction);
    SLM_STORE16(state->correction + v, correction);
    for (int64_t s = 0; s < count; s++) {
      float *score = scores + s * SLM_PANEL + v;
      slm_v16 term = SLM_LOAD16(score) - base;
      slm_exp16(&term);
      SLM_STORE16(score, term);
      sum += term;
    }
    sum += SLM_LOAD16(state->sum + v) * correction;
    SLM_STORE16(state->sum + v, sum);
  }
}

SLM_MULTIVERSION static void shrink(
    float *result, int64_t channels, int64_t width, const struct softmax *state) {
  for (int64_t c = 0; c < channels; c++)
    for (int64_t r = 0; r < width; r++) result[c * SLM_PANEL + r] *= state->correction[r];
}

// Writes the rows of a tile, divided by their sums, and the sums' logarithms.
static void finish(
    const struct slm_attention *a, const struct slm_attention_tile *tile,
    const struct softmax *state, const float *result) {
  float inverse[SLM_PANEL];
  for (int64_t r = 0; r < SLM_PANEL; r++) inverse[r] = 1 / state->sum[r];
  slm_attention_store(tile, result, a->channels, inverse, a->out);
  if (a->log_sums != NULL)
    for (int64_t r = 0; r < tile->count; r++)
      a->log_sums[tile->row[r]] = state->largest[r] + logf(state->sum[r]);
}

static void attend(
    const struct slm_attention *a, int64_t unit, int64_t panel, float *packed, float *scores,
    float *result) {
  struct slm_attention_tile tile;
  struct softmax state;
  slm_attention_open_tile(a, unit, panel, &tile);
  for (int64_t r = 0; r < SLM_PANEL; r++) {
    state.largest[r] = -INFINITY;
    state.sum[r] = 0;
  }
  int vectors = (int)((tile.count + 15) / 16);
  int64_t width = 16 * vectors, channels = a->channels, at = slm_attention_keys_at(a, unit);
  slm_attention_pack(&tile, a->q, channels, (float)a->scale, packed);
  memset(result, 0, (size_t)(channels * SLM_PANEL) * sizeof(float));
  for (int64_t s = tile.begin; s < tile.end; s += KEYS) {
    int64_t keys = tile.end - s < KEYS ? tile.end - s : KEYS;
    const float *k = a->k + at + s * a->key_step, *v = a->v + at + s * a->key_step;
    slm_sweep(vectors, keys, channels, packed, k, a->key_step, 1, scores, false);
    if (slm_attention_hides(&tile, s, keys)) slm_attention_mask(&tile, s, keys, scores);
    exponentiate(scores, keys, width, &state);
    if (s > tile.begin) shrink(result, channels, width, &state);
    slm_sweep(vectors, channels, keys, scores, v, 1, a->key_step, result, true);
  }
  finish(a, &tile, &state, result);
}

void slm_attention_tiles(const struct slm_attention *a, int64_t begin, int64_t end) {
  int64_t panels = slm_attention_panels(a);
  size_t size = (size_t)(a->channels * SLM_PANEL), scores = KEYS * SLM_PANEL;
  float *scratch = slm_scratch((2 * size + scores) * sizeof(float));
  for (int64_t tile = begin; tile < end; tile++)
    attend(a, tile / panels, tile % panels, scratch, scratch + size, scratch + size + scores);
}
