#include "dense_pack.h"
#include "slm_dense.h"
#include "slm_parallel.h"

// The words of a slice that is multiplied at a time: a slice of sixteen columns (20 KiB) and what
// is read beside it stay in the first cache.
#define PIECE 320
// Rows or columns that a thread packs at a time: with 320 words 80 KiB, which stay in its second
// cache.
#define BLOCK 64
// Slices of a that are multiplied by one of b at a time where a is packed for all threads: with 320
// words of 6 rows 120 KiB, which stay in the second cache.
#define A_SLICES 16
// The bytes of the factor that is packed for all threads.
#define SHARED_BYTES (3 << 20)

// The factor of the smaller extent is packed for all threads, a part of the depth at a time. They
// take blocks of the other one, which each packs for itself and multiplies by all of the first.
struct run {
  const struct slm_dense *p;
  const struct slm_dense_variant *variant;
  struct slm_factor shared, own;
  bool shares_b;
  int64_t shared_width, own_width;
  int64_t words;       // of the whole depth
  int64_t piece;       // words multiplied at a time
  int64_t span;        // words packed for all at a time, a multiple of the piece
  int64_t block;       // rows or columns a thread takes at a time
  int64_t first, end;  // words of the present span
  uint32_t *packed;
};

static int64_t round_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

// The words from one slice to the next: not a multiple of 4 KiB, because slices that many bytes
// apart would share few places in the cache.
static int64_t slice_step(int64_t words, int64_t width) {
  return round_up(words * width, 1024) + 48;
}

static struct run plan(
    const struct slm_dense *p, const struct slm_dense_variant *variant, void *packed,
    int threads) {
  struct run r = {.p = p, .variant = variant, .packed = packed};
  r.shares_b = p->b.extent <= p->a.extent;
  r.shared = r.shares_b ? p->b : p->a;
  r.own = r.shares_b ? p->a : p->b;
  r.shared_width = r.shares_b ? variant->columns : variant->rows;
  r.own_width = r.shares_b ? variant->rows : variant->columns;
  r.words = variant->pairs ? (p->depth + 1) / 2 : p->depth;
  int64_t pieces = (r.words + PIECE - 1) / PIECE;
  // A stored weight is widened from multiples of 256 on.
  r.piece = p->weight != NULL ? 256 : round_up((r.words + pieces - 1) / pieces, 8);
  int64_t bytes = round_up(r.shared.extent, r.shared_width) * r.piece * 4;
  int64_t together = SHARED_BYTES / bytes < 1 ? 1 : SHARED_BYTES / bytes;
  r.span = together * r.piece;
  // As many blocks for each thread, so that all finish together.
  int64_t rounds = (r.own.extent + threads * BLOCK - 1) / (threads * BLOCK);
  int64_t block = (r.own.extent + threads * rounds - 1) / (threads * rounds);
  r.block = round_up(block, r.own_width);
  return r;
}

size_t slm_dense_bytes(const struct slm_dense *p, const struct slm_dense_variant *variant) {
  struct run r = plan(p, variant, NULL, 1);
  int64_t slices = (r.shared.extent + r.shared_width - 1) / r.shared_width;
  return (size_t)(slices * slice_step(r.span < r.words ? r.span : r.words, r.shared_width) * 4);
}

// Whether the shared factor's rows run across the depth.
static bool is_across(const struct run *r) {
  return r->shared.step == 1 && !(r->shares_b && r->p->weight != NULL);
}

// Floats that hold one slice of a stored weight, widened.
static int64_t widened_floats(const struct run *r) {
  if (r->p->weight == NULL) return 0;
  return r->variant->columns * (r->piece * (r->variant->pairs ? 2 : 1) + 16);
}

// Packs words first..<last of rows begin..<end. `widened` is scratch for a slice of a
// stored weight.
static void pack(
    const struct run *r, bool is_b, int64_t begin, int64_t end, int64_t first, int64_t last,
    uint32_t *out, int64_t slice_words, float *widened) {
  const struct slm_dense *p = r->p;
  bool pairs = r->variant->pairs;
  int64_t each = pairs ? 2 : 1;
  int64_t width = is_b ? r->variant->columns : r->variant->rows;
  int64_t begin_depth = first * each;
  int64_t end_depth = last * each < p->depth ? last * each : p->depth;
  if (!is_b || p->weight == NULL) {
    slm_dense_pack(
        is_b ? &p->b : &p->a, pairs, width, begin, end, begin_depth, end_depth,
        is_b ? 1 : p->scale, out, slice_words);
    return;
  }
  int64_t depth = end_depth - begin_depth, step = depth + 16;
  for (int64_t row = begin; row < end; row += width, out += slice_words) {
    int64_t rows = end - row < width ? end - row : width;
    for (int64_t i = 0; i < rows; i++)
      slm_matrix_widen(p->weight, row + i, begin_depth, end_depth, widened + i * step);
    struct slm_factor slice = {widened, rows, step, 1};
    slm_dense_pack(&slice, pairs, width, 0, rows, 0, depth, 1, out, slice_words);
  }
}

// Packs some of the shared factor: slices where its rows run along the depth, otherwise some of
// the depth of all slices, so that memory is read in its order.
static void pack_shared(void *context, int64_t begin, int64_t end) {
  const struct run *r = context;
  int64_t step = slice_step(r->end - r->first, r->shared_width);
  if (is_across(r)) {
    pack(
        r, r->shares_b, 0, r->shared.extent, r->first + begin, r->first + end,
        r->packed + begin * r->shared_width, step, NULL);
    return;
  }
  int64_t first = begin * r->shared_width, last = end * r->shared_width;
  last = last < r->shared.extent ? last : r->shared.extent;
  float *widened = slm_scratch((size_t)widened_floats(r) * 4);
  // By pieces, which is what fits the scratch.
  for (int64_t word = r->first; word < r->end; word += r->piece)
    pack(
        r, r->shares_b, first, last, word, word + r->piece < r->end ? word + r->piece : r->end,
        r->packed + begin * step + (word - r->first) * r->shared_width, step, widened);
}

static void store_part(
    const struct run *r, int64_t words, const uint32_t *a, const uint32_t *b, float *c,
    int64_t rows, int64_t columns, const float *bias, bool accumulate) {
  const struct slm_dense_variant *v = r->variant;
  float tile[8 * 48];
  v->tile(words, a, b, tile, v->columns, NULL, false);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      float sum = tile[i * v->columns + j];
      float *out = c + i * r->p->c_step + j;
      if (bias != NULL) sum += bias[j];
      *out = accumulate ? *out + sum : sum;
    }
}

static void multiply_slices(
    const struct run *r, int64_t row, int64_t column, int64_t words, const uint32_t *a,
    const uint32_t *b, bool is_first) {
  const struct slm_dense *p = r->p;
  const struct slm_dense_variant *v = r->variant;
  float *c = p->c + row * p->c_step + column;
  const float *bias = is_first && p->bias != NULL ? p->bias + column : NULL;
  bool accumulate = p->accumulate || !is_first;
  int64_t rows = p->a.extent - row, columns = p->b.extent - column;
  if (rows >= v->rows && columns >= v->columns)
    v->tile(words, a, b, c, p->c_step, bias, accumulate);
  else
    store_part(
        r, words, a, b, c, rows < v->rows ? rows : v->rows,
        columns < v->columns ? columns : v->columns, bias, accumulate);
}

// Packed slices of rows or columns begin..<end of c, `step` words apart.
struct slices {
  const uint32_t *words;
  int64_t step, begin, end;
};

// Multiplies all slices of a by all of b. A slice of b stays in the first cache while those of a
// come from the second: they are the narrower ones.
static void multiply_all(
    const struct run *r, int64_t words, const struct slices *a, const struct slices *b,
    bool is_first) {
  const uint32_t *columns = b->words;
  for (int64_t j = b->begin; j < b->end; j += r->variant->columns, columns += b->step) {
    const uint32_t *rows = a->words;
    for (int64_t i = a->begin; i < a->end; i += r->variant->rows, rows += a->step)
      if (!r->p->only_lower || i + r->variant->rows > j)
        multiply_slices(r, i, j, words, rows, columns, is_first);
  }
}

static void multiply_block(
    const struct run *r, int64_t begin, int64_t end, uint32_t *own, float *widened) {
  int64_t shared_step = slice_step(r->end - r->first, r->shared_width);
  for (int64_t first = r->first; first < r->end; first += r->piece) {
    int64_t last = first + r->piece < r->end ? first + r->piece : r->end, words = last - first;
    int64_t own_step = slice_step(words, r->own_width);
    pack(r, !r->shares_b, begin, end, first, last, own, own_step, widened);
    const uint32_t *shared = r->packed + (first - r->first) * r->shared_width;
    struct slices all = {shared, shared_step, 0, r->shared.extent};
    struct slices mine = {own, own_step, begin, end};
    if (r->shares_b) {
      multiply_all(r, words, &mine, &all, first == 0);
      continue;
    }
    int64_t rows = A_SLICES * r->shared_width;
    for (all.begin = 0; all.begin < r->shared.extent; all.begin += rows) {
      all.end = all.begin + rows < r->shared.extent ? all.begin + rows : r->shared.extent;
      multiply_all(r, words, &all, &mine, first == 0);
      all.words += A_SLICES * shared_step;
    }
  }
}

static void multiply_blocks(void *context, int64_t begin, int64_t end) {
  const struct run *r = context;
  int64_t words = r->block / r->own_width * slice_step(r->piece, r->own_width);
  uint32_t *own = slm_scratch((size_t)(words + widened_floats(r)) * 4);
  int64_t blocks = (r->own.extent + r->block - 1) / r->block;
  for (int64_t part = begin; part < end; part++) {
    // Of a lower triangle the last rows are the longest: they come first, so that threads finish
    // together.
    int64_t block = r->p->only_lower && r->shares_b ? blocks - 1 - part : part;
    int64_t first = block * r->block, last = first + r->block;
    multiply_block(r, first, last < r->own.extent ? last : r->own.extent, own,
        (float *)own + words);
  }
}

void slm_dense_product(
    const struct slm_dense *product, const struct slm_dense_variant *variant, void *packed,
    int threads) {
  if (product->a.extent <= 0 || product->b.extent <= 0) return;
  struct run r = plan(product, variant, packed, threads);
  int64_t blocks = (r.own.extent + r.block - 1) / r.block;
  for (r.first = 0; r.first < r.words; r.first = r.end) {
    r.end = r.first + r.span < r.words ? r.first + r.span : r.words;
    int64_t slices = (r.shared.extent + r.shared_width - 1) / r.shared_width;
    int64_t items = is_across(&r) ? r.end - r.first : slices;
    slm_parallel(threads, items, (items + 2 * threads - 1) / (2 * threads), &r, pack_shared);
    slm_parallel(threads, blocks, 1, &r, multiply_blocks);
  }
}
