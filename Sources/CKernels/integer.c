#include "slm_integer.h"

#include "integer_pack.h"
#include "integer_rows.h"
#include "slm_parallel.h"

#include <string.h>

// The words of a slice that is multiplied at a time: a slice of sixteen columns (20 KiB) and what
// is read beside it stay in the first cache.
#define PIECE 320
// The most columns that a thread packs at a time: with 320 words 120 KiB, which stay in its second
// cache.
#define BLOCK 96
// Slices of x that are multiplied by one of the weight at a time: with 320 words of 6 rows 120 KiB.
#define A_SLICES 16
// The bytes of x that are packed for all threads at a time.
#define SHARED_BYTES (3 << 20)

struct run {
  const struct slm_integer *p;
  const struct slm_integer_variant *variant;
  struct slm_integer_layout layout;
  int64_t each;         // codes of a word
  int64_t words;        // of a row
  int64_t piece;        // groups multiplied at a time; of a single group its words
  int64_t block;        // columns a thread takes at a time
  int64_t first, rows;  // the rows of x that are packed
  int64_t step;         // words from one slice of x to the next
  uint32_t *packed;
  float *scales;        // of the packed rows
};

static int64_t round_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

// Not a multiple of 4 KiB: slices that many bytes apart would share few places in the cache.
static int64_t slice_step(int64_t words, int64_t width) {
  return round_up(words * width, 1024) + 48;
}

// The longest blocks that divide the work most evenly.
static int64_t block_columns(int64_t outputs, int64_t width, int threads) {
  int64_t best = width, least = INT64_MAX;
  for (int64_t block = round_up(BLOCK, width); block >= width; block -= width) {
    int64_t blocks = (outputs + block - 1) / block;
    int64_t load = (blocks + threads - 1) / threads * block;
    if (load < least && (block >= 32 || least == INT64_MAX)) {
      least = load;
      best = block;
    }
  }
  return best;
}

static struct run plan(
    const struct slm_integer *p, const struct slm_integer_variant *variant, int threads) {
  struct run r = {.p = p, .variant = variant};
  r.layout = slm_integer_layout(p->weight, 4);
  r.each = variant->quads ? 4 : 2;
  int64_t group_words = r.layout.padded / r.each;
  r.words = r.layout.groups * group_words;
  if (r.layout.groups == 1) {
    int64_t pieces = (r.words + PIECE - 1) / PIECE;
    r.piece = round_up((r.words + pieces - 1) / pieces, 16);
  } else {
    r.piece = PIECE / group_words < 1 ? 1 : PIECE / group_words;
    // Codes of fewer bits start a byte only at multiples of eight columns.
    if (r.layout.group % 8 != 0) r.piece = r.layout.groups;
  }
  r.block = block_columns(p->outputs, variant->columns, threads);
  int64_t rows = SHARED_BYTES / 4 / r.words / variant->rows * variant->rows;
  rows = rows < 16 * variant->rows ? 16 * variant->rows : rows;
  r.rows = rows < p->rows ? rows : p->rows;
  r.step = slice_step(r.words, variant->rows);
  return r;
}

size_t slm_integer_bytes(const struct slm_integer *p, const struct slm_integer_variant *variant) {
  if (slm_integer_is_narrow(p)) return slm_integer_narrow_bytes(p);
  struct run r = plan(p, variant, 1);
  int64_t slices = (r.rows + variant->rows - 1) / variant->rows;
  return (size_t)(slices * (r.step + variant->rows)) * 4;
}

// MARK: Packing

// Rounds and packs slices of x.
static void pack_rows(void *context, int64_t begin, int64_t end) {
  const struct run *r = context;
  int64_t width = r->variant->rows, length = r->layout.length;
  int8_t *codes = slm_scratch((size_t)(width * length + 64));
  for (int64_t slice = begin; slice < end; slice++) {
    int64_t row = slice * width, count = r->rows - row < width ? r->rows - row : width;
    for (int64_t i = 0; i < width; i++)
      r->scales[row + i] = i < count ? slm_integer_round_row(
                               r->p, &r->layout, r->first + row + i, codes + i * length)
                                     : 0;
    slm_integer_pack(
        codes, length, count, width, r->words, r->variant->quads, r->variant->quads,
        r->packed + slice * r->step);
  }
}

// What a thread packs of the weight: slices of columns begin..<end.
struct own {
  int64_t begin, end;
  uint32_t *words;  // of a piece
  int64_t step;     // words from slice to slice
  float *scales;    // [slices][groups][columns]
  int32_t *start;   // [slices][groups of a piece][columns]
  float *bias;      // [slices][columns]
  int8_t *codes;    // of one slice
};

// Columns first..<last of the piece, or groups where there are several.
static void pack_piece(
    const struct run *r, struct own *own, int64_t first, int64_t last, int64_t words) {
  const struct slm_matrix *weight = r->p->weight;
  int64_t width = r->variant->columns, groups = r->layout.groups == 1 ? 1 : last - first;
  int64_t group_words = words / groups, length = round_up(words * r->each, 64);
  for (int64_t s = 0, n = own->begin; n < own->end; s++, n += width) {
    int64_t count = r->p->outputs - n < width ? r->p->outputs - n : width;
    int32_t *start = own->start + s * groups * width;
    if (r->variant->quads) memset(start, 0, (size_t)(groups * width) * 4);
    for (int64_t i = 0; i < count; i++) {
      int8_t *codes = own->codes + i * length;
      if (r->layout.groups == 1) {
        int64_t begin = first * r->each, end = last * r->each;
        end = end < r->p->depth ? end : r->p->depth;
        slm_matrix_codes(weight, n + i, begin, end, codes);
        memset(codes + end - begin, 0, (size_t)(length - (end - begin)));
      } else {
        slm_integer_codes(weight, &r->layout, n + i, first, last, codes);
      }
      for (int64_t g = 0; r->variant->quads && g < groups; g++)
        start[g * width + i] =
            -128 * slm_integer_sum(codes + g * group_words * r->each, group_words * r->each);
    }
    slm_integer_pack(
        own->codes, length, count, width, words, r->variant->quads, false,
        own->words + s * own->step);
  }
}

static void take_scales(const struct run *r, struct own *own) {
  int64_t width = r->variant->columns, groups = r->layout.groups;
  for (int64_t s = 0, n = own->begin; n < own->end; s++, n += width)
    for (int64_t i = 0; i < width; i++) {
      bool is_real = n + i < r->p->outputs;
      float *scales = own->scales + s * groups * width + i;
      own->bias[s * width + i] = is_real && r->p->bias != NULL ? r->p->bias[n + i] : 0;
      if (is_real)
        slm_matrix_scales(r->p->weight, n + i, 0, groups, scales, width);
      else
        for (int64_t g = 0; g < groups; g++) scales[g * width] = 0;
    }
}

// MARK: Multiplying

static void multiply_tile(
    const struct run *r, struct slm_integer_tile *tile, int64_t row, int64_t column) {
  const struct slm_integer_variant *v = r->variant;
  float *c = r->p->y + (r->first + row) * r->p->y_step + column;
  int64_t rows = r->rows - row, columns = r->p->outputs - column;
  if (rows >= v->rows && columns >= v->columns) {
    tile->c = c;
    tile->c_step = r->p->y_step;
    v->tile(tile);
    return;
  }
  rows = rows < v->rows ? rows : v->rows;
  columns = columns < v->columns ? columns : v->columns;
  float part[8 * 48] = {};
  for (int64_t i = 0; i < rows && (tile->adds || tile->continues); i++)
    memcpy(part + i * v->columns, c + i * r->p->y_step, (size_t)columns * 4);
  tile->c = part;
  tile->c_step = v->columns;
  v->tile(tile);
  for (int64_t i = 0; i < rows; i++)
    memcpy(c + i * r->p->y_step, part + i * v->columns, (size_t)columns * 4);
}

static void multiply_piece(
    const struct run *r, const struct own *own, int64_t first, int64_t last, int64_t words) {
  const struct slm_integer_variant *v = r->variant;
  int64_t groups = r->layout.groups == 1 ? 1 : last - first;
  int64_t slices = (r->rows + v->rows - 1) / v->rows;
  int64_t first_word = r->layout.groups == 1 ? first : first * (words / groups);
  bool is_last = last == (r->layout.groups == 1 ? r->words : r->layout.groups);
  struct slm_integer_tile tile = {
      .groups = groups,
      .words = words / groups,
      .continues = r->layout.groups == 1 && first > 0,
      .keeps = r->layout.groups == 1 && !is_last,
      .adds = r->layout.groups > 1 && first > 0};
  for (int64_t from = 0; from < slices; from += A_SLICES) {
    int64_t to = from + A_SLICES < slices ? from + A_SLICES : slices;
    for (int64_t s = 0, n = own->begin; n < own->end; s++, n += v->columns) {
      tile.b = own->words + s * own->step;
      tile.start = v->quads ? own->start + s * groups * v->columns : NULL;
      tile.scales = own->scales
          + (s * r->layout.groups + (r->layout.groups == 1 ? 0 : first)) * v->columns;
      tile.bias = r->p->bias != NULL ? own->bias + s * v->columns : NULL;
      for (int64_t slice = from; slice < to; slice++) {
        tile.a = r->packed + slice * r->step + first_word * v->rows;
        tile.row_scales = is_last ? r->scales + slice * v->rows : NULL;
        multiply_tile(r, &tile, slice * v->rows, n);
      }
    }
  }
}

static void multiply_blocks(void *context, int64_t begin, int64_t end) {
  const struct run *r = context;
  int64_t width = r->variant->columns, slices = r->block / width, groups = r->layout.groups;
  int64_t whole = groups == 1 ? r->words : groups, group_words = r->words / groups;
  int64_t piece_words = groups == 1 ? r->piece : r->piece * group_words;
  struct own own = {.step = slice_step(piece_words, width)};
  int64_t counts[] = {
      slices * own.step, slices * groups * width, slices * groups * width, slices * width,
      width * round_up(piece_words * r->each, 64) / 4 + 16};
  int64_t total = 0;
  for (int i = 0; i < 5; i++) total += round_up(counts[i], 16);
  own.words = slm_scratch((size_t)total * 4);
  own.scales = (float *)own.words + round_up(counts[0], 16);
  own.start = (int32_t *)own.scales + round_up(counts[1], 16);
  own.bias = (float *)own.start + round_up(counts[2], 16);
  own.codes = (int8_t *)(own.bias + round_up(counts[3], 16));
  for (int64_t block = begin; block < end; block++) {
    own.begin = block * r->block;
    own.end = own.begin + r->block < r->p->outputs ? own.begin + r->block : r->p->outputs;
    take_scales(r, &own);
    for (int64_t first = 0; first < whole; first += r->piece) {
      int64_t last = first + r->piece < whole ? first + r->piece : whole;
      int64_t words = (last - first) * (groups == 1 ? 1 : group_words);
      pack_piece(r, &own, first, last, words);
      multiply_piece(r, &own, first, last, words);
    }
  }
}

void slm_integer_product(
    const struct slm_integer *p, const struct slm_integer_variant *variant, void *packed,
    int threads) {
  if (p->rows <= 0 || p->outputs <= 0) return;
  if (slm_integer_is_narrow(p)) {
    slm_integer_narrow_product(p, packed, threads);
    return;
  }
  struct run r = plan(p, variant, threads);
  int64_t together = r.rows, blocks = (p->outputs + r.block - 1) / r.block;
  int64_t most = (together + variant->rows - 1) / variant->rows;
  r.packed = packed;
  r.scales = (float *)packed + most * r.step;
  for (r.first = 0; r.first < p->rows; r.first += together) {
    r.rows = p->rows - r.first < together ? p->rows - r.first : together;
    int64_t slices = (r.rows + variant->rows - 1) / variant->rows;
    slm_parallel(threads, slices, (slices + 4 * threads - 1) / (4 * threads), &r, pack_rows);
    slm_parallel(threads, blocks, 1, &r, multiply_blocks);
  }
}
