#include "attention_tile.h"

#include <math.h>

#include "multiversion.h"

void slm_attention_open_tile(
    const struct slm_attention *a, int64_t unit, int64_t panel, struct slm_attention_tile *tile) {
  int64_t group = slm_attention_group(a), rows = a->tokens * group, first = panel * SLM_PANEL;
  int64_t sequence = unit / a->key_heads, head = unit % a->key_heads;
  tile->count = rows - first < SLM_PANEL ? rows - first : SLM_PANEL;
  tile->begin = tile->shared_end = INT64_MAX;
  tile->end = tile->shared_begin = 0;
  for (int64_t r = 0; r < SLM_PANEL; r++) {
    int64_t row = first + (r < tile->count ? r : tile->count - 1), token = row / group;
    int64_t seen = slm_attention_first_key(a, sequence, token), end = a->start + token + 1;
    tile->row[r] = (sequence * a->tokens + token) * a->heads + head * group + row % group;
    tile->first[r] = (int32_t)seen;
    tile->last[r] = (int32_t)(end - 1);
    tile->begin = seen < tile->begin ? seen : tile->begin;
    tile->shared_begin = seen > tile->shared_begin ? seen : tile->shared_begin;
    tile->end = end > tile->end ? end : tile->end;
    tile->shared_end = end < tile->shared_end ? end : tile->shared_end;
  }
}

SLM_MULTIVERSION void slm_attention_pack(
    const struct slm_attention_tile *tile, const float *x, int64_t channels, float scale,
    float *packed) {
  const float *rows[SLM_PANEL];
  for (int64_t r = 0; r < SLM_PANEL; r++) rows[r] = x + tile->row[r] * channels;
  for (int64_t v = 0; v < tile->count; v += 16) {
    int64_t c = 0;
    for (; c + 16 <= channels; c += 16) {
      slm_v16 block[16];
#pragma clang loop unroll(full)
      for (int i = 0; i < 16; i++) block[i] = SLM_LOAD16(rows[v + i] + c) * scale;
      slm_transpose16(block);
#pragma clang loop unroll(full)
      for (int i = 0; i < 16; i++) SLM_STORE16(packed + (c + i) * SLM_PANEL + v, block[i]);
    }
    for (; c < channels; c++)
      for (int i = 0; i < 16; i++) packed[c * SLM_PANEL + v + i] = rows[v + i][c] * scale;
  }
}

SLM_MULTIVERSION void slm_attention_store(
    const struct slm_attention_tile *tile, const float *packed, int64_t channels,
    const float *factors, float *y) {
  for (int64_t v = 0; v < tile->count; v += 16) {
    int64_t rows = tile->count - v < 16 ? tile->count - v : 16, c = 0;
    slm_v16 factor = SLM_LOAD16(factors + v);
    for (; c + 16 <= channels; c += 16) {
      slm_v16 block[16];
#pragma clang loop unroll(full)
      for (int i = 0; i < 16; i++)
        block[i] = SLM_LOAD16(packed + (c + i) * SLM_PANEL + v) * factor;
      slm_transpose16(block);
      for (int64_t i = 0; i < rows; i++)
        SLM_STORE16(y + tile->row[v + i] * channels + c, block[i]);
    }
    for (; c < channels; c++)
      for (int64_t i = 0; i < rows; i++)
        y[tile->row[v + i] * channels + c] = packed[c * SLM_PANEL + v + i] * factor[i];
  }
}

SLM_MULTIVERSION void slm_attention_mask(
    const struct slm_attention_tile *tile, int64_t first_key, int64_t keys, float *scores) {
  int64_t width = (tile->count + 15) / 16 * 16;
  for (int64_t s = 0; s < keys; s++) {
    int32_t key = (int32_t)(first_key + s);
    float *score = scores + s * SLM_PANEL;
    for (int64_t r = 0; r < width; r++)
      score[r] = key < tile->first[r] || key > tile->last[r] ? -INFINITY : score[r];
  }
}
