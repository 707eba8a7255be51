#include "attention_tile.h"
#include "exponential.h"
#include "multiversion.h"
#include "slm_parallel.h"

// The backward pass of attention, tile by tile as the forward pass.
//
//     P = exp(S - log-sum-exp)     dV += P' dO      dP = dO V'     dS = P * (dP - D)
//     dQ += scale dS K             dK += dS' (scale Q)             D = rowsum(dO * O)
//
// S, dP, P and dS are [keys][48 rows], so that dQ is summed as [channels][48 rows] in the cache.
// The sums over rows, dK and dV, want the same arrays as weights and Q and dO by rows; they stay
// in the thread's scratch, [channels / lanes][keys][lanes], until all tiles of the share are done.

// Keys in a tile: the rows of the tile shapes of every instruction set divide it.
#define KEYS 48

// A share has at least this many tiles, and a problem, if it is long enough, this many units.
#define SHARE_TILES 4
#define UNITS 16

int64_t slm_attention_share_count(const struct slm_attention *a) {
  int64_t heads = a->sequences * a->key_heads, most = slm_attention_panels(a) / SHARE_TILES;
  int64_t shares = UNITS / (heads > 0 ? heads : 1);
  shares = shares < most ? shares : most;
  return shares > 1 ? shares : 1;
}

struct workspace {
  float *queries, *gradients;            // [channels][48]
  float *query_rows, *gradient_rows;     // [bands][48 rows][48]
  float *probabilities, *score_changes;  // [KEYS][48]
  float *q;                              // [channels][48]
  float *k, *v;                          // [bands][keys][48]
  float log_sums[SLM_PANEL], products[SLM_PANEL];
};

// Channels lie in bands of up to 48, of nearly as many vectors each.
static int64_t band_count(int64_t channels) { return (channels + SLM_PANEL - 1) / SLM_PANEL; }

static int64_t band_start(int64_t channels, int64_t band) {
  return (channels + 15) / 16 * band / band_count(channels) * 16;
}

static void divide_scratch(const struct slm_attention *a, struct workspace *w) {
  int64_t panel = a->channels * SLM_PANEL, band = band_count(a->channels) * SLM_PANEL;
  int64_t total = 3 * panel + 2 * band * SLM_PANEL + 2 * KEYS * SLM_PANEL + 2 * band * a->keys;
  float *next = slm_scratch((size_t)total * sizeof(float));
  w->queries = next;
  w->gradients = next += panel;
  w->q = next += panel;
  w->query_rows = next += panel;
  w->gradient_rows = next += band * SLM_PANEL;
  w->probabilities = next += band * SLM_PANEL;
  w->score_changes = next += KEYS * SLM_PANEL;
  w->k = next += KEYS * SLM_PANEL;
  w->v = next + band * a->keys;
}

// Copies rows of x, times the scale, as [bands][48 rows][48].
SLM_MULTIVERSION static void copy_rows(
    const struct slm_attention_tile *tile, const float *x, int64_t channels, float scale,
    float *out) {
  for (int64_t band = 0; band < band_count(channels); band++) {
    int64_t begin = band_start(channels, band), end = band_start(channels, band + 1);
    for (int64_t r = 0; r < tile->count; r++) {
      const float *row = x + tile->row[r] * channels;
      float *to = out + (band * SLM_PANEL + r) * SLM_PANEL;
      int64_t c = begin;
      for (; c + 16 <= channels && c < end; c += 16)
        SLM_STORE16(to + c - begin, SLM_LOAD16(row + c) * scale);
      for (; c < end; c++) to[c - begin] = c < channels ? row[c] * scale : 0;
    }
  }
}

// The dot product of each row of x with that of y.
SLM_MULTIVERSION static void multiply_rows(
    const struct slm_attention_tile *tile, const float *x, const float *y, int64_t channels,
    float *out) {
  for (int64_t r = 0; r < SLM_PANEL; r++) {
    const float *a = x + tile->row[r] * channels, *b = y + tile->row[r] * channels;
    slm_v16 sum = {};
    int64_t c = 0;
    for (; c + 16 <= channels; c += 16) sum += SLM_LOAD16(a + c) * SLM_LOAD16(b + c);
    float rest = slm_sum16(&sum);
    for (; c < channels; c++) rest += a[c] * b[c];
    out[r] = rest;
  }
}

// Turns scores into probabilities, and their gradients into those of the scores.
SLM_MULTIVERSION static void exponentiate(struct workspace *w, int64_t keys, int64_t width) {
  for (int64_t v = 0; v < width; v += 16) {
    slm_v16 log_sum = SLM_LOAD16(w->log_sums + v), product = SLM_LOAD16(w->products + v);
    for (int64_t s = 0; s < keys; s++) {
      float *probability = w->probabilities + s * SLM_PANEL + v;
      float *change = w->score_changes + s * SLM_PANEL + v;
      slm_v16 p = SLM_LOAD16(probability) - log_sum;
      slm_exp16(&p);
      SLM_STORE16(probability, p);
      SLM_STORE16(change, p * (SLM_LOAD16(change) - product));
    }
  }
}

// Adds weights' [rows][keys] x [rows][channels] to keys first.. of the sum.
static void add_to_keys(
    const struct slm_attention *a, const struct slm_attention_tile *tile, int64_t first,
    int64_t keys, const float *weights, const float *rows, float *sum) {
  for (int64_t band = 0; band < band_count(a->channels); band++) {
    int64_t lanes = band_start(a->channels, band + 1) - band_start(a->channels, band);
    slm_sweep(
        (int)(lanes / 16), keys, tile->count, rows + band * SLM_PANEL * SLM_PANEL, weights,
        SLM_PANEL, 1, sum + (band * a->keys + first) * SLM_PANEL, true);
  }
}

static void differentiate_tile(
    const struct slm_attention *a, const struct slm_attention_gradient *g,
    const struct slm_attention_tile *tile, int64_t at, struct workspace *w) {
  int vectors = (int)((tile->count + 15) / 16);
  int64_t channels = a->channels, step = a->key_step;
  slm_attention_pack(tile, a->q, channels, (float)a->scale, w->queries);
  slm_attention_pack(tile, g->out, channels, 1, w->gradients);
  if (g->k != NULL) copy_rows(tile, a->q, channels, (float)a->scale, w->query_rows);
  if (g->v != NULL) copy_rows(tile, g->out, channels, 1, w->gradient_rows);
  multiply_rows(tile, a->out, g->out, channels, w->products);
  for (int64_t r = 0; r < SLM_PANEL; r++) w->log_sums[r] = a->log_sums[tile->row[r]];
  memset(w->q, 0, (size_t)(channels * SLM_PANEL) * sizeof(float));
  for (int64_t s = tile->begin; s < tile->end; s += KEYS) {
    int64_t keys = tile->end - s < KEYS ? tile->end - s : KEYS;
    const float *k = a->k + at + s * step, *v = a->v + at + s * step;
    slm_sweep(vectors, keys, channels, w->queries, k, step, 1, w->probabilities, false);
    slm_sweep(vectors, keys, channels, w->gradients, v, step, 1, w->score_changes, false);
    if (slm_attention_hides(tile, s, keys)) slm_attention_mask(tile, s, keys, w->probabilities);
    exponentiate(w, keys, 16 * vectors);
    if (g->q != NULL) slm_sweep(vectors, channels, keys, w->score_changes, k, 1, step, w->q, true);
    if (g->k != NULL) add_to_keys(a, tile, s, keys, w->score_changes, w->query_rows, w->k);
    if (g->v != NULL) add_to_keys(a, tile, s, keys, w->probabilities, w->gradient_rows, w->v);
  }
  if (g->q == NULL) return;
  float scales[SLM_PANEL];
  for (int64_t r = 0; r < SLM_PANEL; r++) scales[r] = (float)a->scale;
  slm_attention_store(tile, w->q, channels, scales, g->q);
}

static void store_keys(const struct slm_attention *a, const float *sum, float *out) {
  for (int64_t band = 0; band < band_count(a->channels); band++) {
    int64_t begin = band_start(a->channels, band), end = band_start(a->channels, band + 1);
    end = end < a->channels ? end : a->channels;
    for (int64_t s = 0; s < a->keys; s++)
      memcpy(
          out + s * a->key_step + begin, sum + (band * a->keys + s) * SLM_PANEL,
          (size_t)(end - begin) * sizeof(float));
  }
}

void slm_attention_differentiate(
    const struct slm_attention *a, const struct slm_attention_gradient *g, int64_t begin,
    int64_t end) {
  struct workspace w;
  divide_scratch(a, &w);
  int64_t shares = slm_attention_share_count(a), panels = slm_attention_panels(a);
  size_t size = (size_t)(band_count(a->channels) * SLM_PANEL * a->keys) * sizeof(float);
  for (int64_t unit = begin; unit < end; unit++) {
    int64_t head = unit / shares, share = unit % shares, at = slm_attention_keys_at(a, head);
    if (g->k != NULL) memset(w.k, 0, size);
    if (g->v != NULL) memset(w.v, 0, size);
    // Every so many tiles, not a run of them: later queries see more keys.
    for (int64_t panel = share; panel < panels; panel += shares) {
      struct slm_attention_tile tile;
      slm_attention_open_tile(a, head, panel, &tile);
      differentiate_tile(a, g, &tile, at, &w);
    }
    int64_t part = share * a->sequences * a->keys * a->key_step + at;
    if (g->k != NULL) store_keys(a, w.k, g->k + part);
    if (g->v != NULL) store_keys(a, w.v, g->v + part);
  }
}

SLM_MULTIVERSION void slm_attention_add_shares(
    const float *parts, int64_t shares, int64_t count, int64_t begin, int64_t end, float *sum) {
  for (int64_t i = begin; i < end; i++) {
    float total = 0;
    for (int64_t share = 0; share < shares; share++) total += parts[share * count + i];
    sum[i] = total;
  }
}
