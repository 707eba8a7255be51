#pragma once

#include <stddef.h>
#include <stdint.h>

// Causal attention with grouped key heads.
//
// Query t of a sequence stands at position start + t and sees the keys s <= start + t that are
// fewer than `window` positions back and, in a packed sequence, of its own document. Scores and
// probabilities exist only for a tile of queries by keys; the softmax is carried from tile to
// tile by a running maximum and sum.
struct slm_attention {
  int64_t sequences, tokens, keys, heads, key_heads, channels;
  int64_t start;   // position of the first query
  int64_t window;  // keys a query sees, itself included; 0 for all
  double scale;    // of the scores
  const float *q;      // [sequences][tokens][heads][channels]
  const float *k, *v;  // [sequences][keys][key_heads][channels], key_step elements from key to key
  int64_t key_step;
  const int32_t *document_starts;  // [sequences][tokens], the first key of the query; or NULL
  float *out;       // [sequences][tokens][heads][channels]
  float *log_sums;  // [sequences][tokens][heads], the scores' log-sum-exp; NULL if not wanted
};

// The units of work that `slm_attention_tiles` divides: 48 rows of one key head's queries.
int64_t slm_attention_tile_count(const struct slm_attention *attention);

void slm_attention_tiles(const struct slm_attention *attention, int64_t begin, int64_t end);

// The same for one token a sequence, without log_sums: begin..<end of sequences times key heads.
void slm_attention_token(const struct slm_attention *attention, int64_t begin, int64_t end);

// The same in double precision, for rows begin..<end of sequences times tokens times heads; the
// pointers to floats of `attention` are not used.
void slm_attention_rows_f64(
    const struct slm_attention *attention, const double *q, const double *k, const double *v,
    double *out, int64_t begin, int64_t end);

// What the backward pass reads and writes beside q, k, v, out and log_sums of the attention.
struct slm_attention_gradient {
  const float *out;  // the gradient of out
  float *q;          // the gradient of q; NULL if not wanted
  float *k, *v;      // [shares][sequences][keys][key_heads][channels]; NULL if not wanted
};

// The tiles of a key head's queries are dealt to this many shares, each of which sums its own
// gradients of keys and values. Follows from the extents alone, so that results do not depend on
// the number of threads.
int64_t slm_attention_share_count(const struct slm_attention *attention);

// Computes units begin..<end of sequences times key heads times shares.
void slm_attention_differentiate(
    const struct slm_attention *attention, const struct slm_attention_gradient *gradient,
    int64_t begin, int64_t end);

// Adds up the shares [shares][count], elements begin..<end.
void slm_attention_add_shares(
    const float *parts, int64_t shares, int64_t count, int64_t begin, int64_t end, float *sum);

// The backward pass in double precision, for units begin..<end of sequences times key heads.
// None of the gradients is NULL.
void slm_attention_differentiate_f64(
    const struct slm_attention *attention, const double *q, const double *k, const double *v,
    const double *out_gradient, double *q_gradient, double *k_gradient, double *v_gradient,
    int64_t begin, int64_t end);
