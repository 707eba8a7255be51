#pragma once

#include "product_tile.h"
#include "slm_attention.h"

// The query heads of one key head are taken together, so that a tile of keys serves them all.
// Row r of a key head's queries is head r % group of token r / group. Everything inside is
// transposed, [key or channel][48 rows]: the layout that the sweep reads and writes, in which the
// softmax runs along vectors without a sum across lanes.
struct slm_attention_tile {
  int64_t count;                              // rows; lanes beyond them repeat the last
  int64_t row[SLM_PANEL];                     // its place in [sequences][tokens][heads]
  int32_t first[SLM_PANEL], last[SLM_PANEL];  // the keys that a row sees
  int64_t begin, end;                         // the keys that some row sees,
  int64_t shared_begin, shared_end;           // and those that every row sees
};

static inline int64_t slm_attention_group(const struct slm_attention *a) {
  return a->heads / a->key_heads;
}

// Tiles of the queries of one key head of one sequence.
static inline int64_t slm_attention_panels(const struct slm_attention *a) {
  return (a->tokens * slm_attention_group(a) + SLM_PANEL - 1) / SLM_PANEL;
}

// Where the keys and values of a unit begin; units are key heads of sequences.
static inline int64_t slm_attention_keys_at(const struct slm_attention *a, int64_t unit) {
  return unit / a->key_heads * a->keys * a->key_step + unit % a->key_heads * a->channels;
}

// The first key that a query sees.
static inline int64_t slm_attention_first_key(
    const struct slm_attention *a, int64_t sequence, int64_t token) {
  int64_t position = a->start + token, first = 0;
  if (a->window > 0 && position >= a->window) first = position - a->window + 1;
  if (a->document_starts != NULL) {
    int64_t document = a->document_starts[sequence * a->tokens + token];
    first = document > first ? document : first;
  }
  return first;
}

// Says which rows a tile has and what they see.
void slm_attention_open_tile(
    const struct slm_attention *a, int64_t unit, int64_t panel, struct slm_attention_tile *tile);

// Packs rows of x, [sequences][tokens][heads][channels], times the scale, as [channels][48].
void slm_attention_pack(
    const struct slm_attention_tile *tile, const float *x, int64_t channels, float scale,
    float *packed);

// Writes [channels][48] to rows of y, each times its factor.
void slm_attention_store(
    const struct slm_attention_tile *tile, const float *packed, int64_t channels,
    const float *factors, float *y);

// Hides the scores [keys][48] that rows do not see.
void slm_attention_mask(
    const struct slm_attention_tile *tile, int64_t first_key, int64_t keys, float *scores);

// Whether some row does not see some of the keys.
static inline bool slm_attention_hides(
    const struct slm_attention_tile *tile, int64_t first_key, int64_t keys) {
  return first_key < tile->shared_begin || first_key + keys > tile->shared_end;
}
