#pragma once

#include <stddef.h>
#include <stdint.h>

// Causal attention with grouped key heads, for one sequence of the batch.
//
// Query t stands at position start + t and sees the keys s <= start + t that are fewer than
// `window` positions back. Scores and probabilities exist only for a tile of 48 queries by 64
// keys; the softmax is carried from tile to tile by a running maximum and sum.
struct slm_attention {
  int64_t tokens, keys, heads, key_heads, channels;
  int64_t start;   // position of the first query
  int64_t window;  // keys a query sees, itself included; 0 for all
  double scale;    // of the scores
  const float *q;        // [tokens][heads][channels]
  const float *k, *v;    // [keys][key_heads][channels], key_step elements from key to key
  int64_t key_step;
  float *out;      // [tokens][heads][channels]
};

// The units of work that `slm_attention_tiles` divides: 48 rows of one key head's queries.
int64_t slm_attention_tile_count(const struct slm_attention *attention);

void slm_attention_tiles(const struct slm_attention *attention, int64_t begin, int64_t end);

// The same for one token: key heads begin..<end.
void slm_attention_token(const struct slm_attention *attention, int64_t begin, int64_t end);

// The same in double precision, for rows begin..<end of tokens times heads; the pointers of
// `attention` are not used.
void slm_attention_rows_f64(
    const struct slm_attention *attention, const double *q, const double *k, const double *v,
    double *out, int64_t begin, int64_t end);
