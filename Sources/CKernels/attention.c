#include "slm_attention.h"

#include "exponential.h"
#include "multiversion.h"
#include "product_tile.h"
#include "slm_parallel.h"

// Keys in a tile: with 48 queries the scores are 12 KiB and stay in the first cache.
#define KEYS 64

// The query heads of one key head are taken together, so that a tile of keys serves them all.
// Row r of a key head's queries is head r % group of token r / group. Everything inside is
// transposed, [key or channel][48 rows]: the layout that the sweep reads and writes, in which the
// softmax runs along vectors without a sum across lanes.
struct rows {
  float largest[SLM_PANEL], sum[SLM_PANEL], correction[SLM_PANEL];
  int32_t position[SLM_PANEL];
};

static int64_t group_size(const struct slm_attention *a) { return a->heads / a->key_heads; }

static int64_t panels_of_head(const struct slm_attention *a) {
  return (a->tokens * group_size(a) + SLM_PANEL - 1) / SLM_PANEL;
}

int64_t slm_attention_tile_count(const struct slm_attention *a) {
  return a->key_heads * panels_of_head(a);
}

static int64_t row_offset(const struct slm_attention *a, int64_t head, int64_t row) {
  int64_t group = group_size(a);
  return ((row / group) * a->heads + head * group + row % group) * a->channels;
}

// Packs `count` rows of queries from row `first`, times the scale, as [channels][48]. Rows beyond
// the last repeat it.
SLM_MULTIVERSION static void pack_queries(
    const struct slm_attention *a, int64_t head, int64_t first, int64_t count, float *packed,
    struct rows *state) {
  const float *q[SLM_PANEL];
  float scale = (float)a->scale;
  for (int64_t r = 0; r < SLM_PANEL; r++) {
    int64_t row = first + (r < count ? r : count - 1);
    q[r] = a->q + row_offset(a, head, row);
    state->position[r] = (int32_t)(a->start + row / group_size(a));
    state->largest[r] = -INFINITY;
    state->sum[r] = 0;
  }
  for (int64_t v = 0; v < count; v += 16) {
    int64_t c = 0;
    for (; c + 16 <= a->channels; c += 16) {
      slm_v16 tile[16];
#pragma clang loop unroll(full)
      for (int i = 0; i < 16; i++) tile[i] = SLM_LOAD16(q[v + i] + c) * scale;
      slm_transpose16(tile);
#pragma clang loop unroll(full)
      for (int i = 0; i < 16; i++) SLM_STORE16(packed + (c + i) * SLM_PANEL + v, tile[i]);
    }
    for (; c < a->channels; c++)
      for (int i = 0; i < 16; i++) packed[c * SLM_PANEL + v + i] = q[v + i][c] * scale;
  }
}

// Hides the keys that rows do not see.
SLM_MULTIVERSION static void mask_scores(
    float *scores, int64_t first, int64_t count, int64_t width, int64_t window,
    const struct rows *state) {
  for (int64_t s = 0; s < count; s++)
    for (int64_t r = 0; r < width; r++) {
      int32_t back = state->position[r] - (int32_t)(first + s);
      float score = scores[s * SLM_PANEL + r];
      scores[s * SLM_PANEL + r] =
          back < 0 || back >= (int32_t)window ? -INFINITY : score;
    }
}

// Turns scores into exponentials relative to the largest score so far, and says by how much
// what was summed before must shrink.
SLM_MULTIVERSION static void exponentiate(
    float *scores, int64_t count, int64_t width, struct rows *state) {
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
    float *result, int64_t channels, int64_t width, const struct rows *state) {
  for (int64_t c = 0; c < channels; c++)
    for (int64_t r = 0; r < width; r++) result[c * SLM_PANEL + r] *= state->correction[r];
}

SLM_MULTIVERSION static void store_rows(
    const struct slm_attention *a, int64_t head, int64_t first, int64_t count,
    const float *result, const struct rows *state) {
  for (int64_t v = 0; v < count; v += 16) {
    int64_t rows = count - v < 16 ? count - v : 16, c = 0;
    slm_v16 inverse = 1 / SLM_LOAD16(state->sum + v);
    for (; c + 16 <= a->channels; c += 16) {
      slm_v16 tile[16];
#pragma clang loop unroll(full)
      for (int i = 0; i < 16; i++) tile[i] = SLM_LOAD16(result + (c + i) * SLM_PANEL + v) * inverse;
      slm_transpose16(tile);
      for (int64_t i = 0; i < rows; i++)
        SLM_STORE16(a->out + row_offset(a, head, first + v + i) + c, tile[i]);
    }
    for (; c < a->channels; c++)
      for (int64_t i = 0; i < rows; i++)
        a->out[row_offset(a, head, first + v + i) + c] = result[c * SLM_PANEL + v + i] * inverse[i];
  }
}

static void attend(
    const struct slm_attention *a, int64_t head, int64_t first, int64_t count, float *packed,
    float *scores, float *result) {
  struct rows state;
  int vectors = (int)((count + 15) / 16);
  int64_t width = 16 * vectors, channels = a->channels;
  int64_t window = a->window > 0 ? a->window : INT32_MAX;
  pack_queries(a, head, first, count, packed, &state);
  memset(result, 0, (size_t)(channels * SLM_PANEL) * sizeof(float));

  int64_t lowest = state.position[0], highest = state.position[count - 1];
  int64_t end = highest + 1 < a->keys ? highest + 1 : a->keys;
  int64_t begin = lowest - window + 1 > 0 ? (lowest - window + 1) / KEYS * KEYS : 0;
  for (int64_t s = begin; s < end; s += KEYS) {
    int64_t keys = end - s < KEYS ? end - s : KEYS;
    const float *k = a->k + s * a->key_step + head * channels;
    const float *v = a->v + s * a->key_step + head * channels;
    slm_sweep(vectors, keys, channels, packed, k, a->key_step, 1, scores, false);
    if (s + keys - 1 > lowest || highest - s >= window)
      mask_scores(scores, s, keys, width, window, &state);
    exponentiate(scores, keys, width, &state);
    if (s > begin) shrink(result, channels, width, &state);
    slm_sweep(vectors, channels, keys, scores, v, 1, a->key_step, result, true);
  }
  store_rows(a, head, first, count, result, &state);
}

void slm_attention_tiles(const struct slm_attention *a, int64_t begin, int64_t end) {
  int64_t panels = panels_of_head(a), rows = a->tokens * group_size(a);
  size_t size = (size_t)(a->channels * SLM_PANEL);
  float *scratch = slm_scratch((2 * size + KEYS * SLM_PANEL) * sizeof(float));
  for (int64_t tile = begin; tile < end; tile++) {
    int64_t first = tile % panels * SLM_PANEL;
    int64_t count = rows - first < SLM_PANEL ? rows - first : SLM_PANEL;
    attend(a, tile / panels, first, count, scratch, scratch + size, scratch + size + KEYS * SLM_PANEL);
  }
}
