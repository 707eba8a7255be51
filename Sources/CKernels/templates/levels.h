// Loops over matrices of levels and scales; see each_real.h. Levels are widened for 256 columns at
// a time, the piece in which every stored form can be read; a group may span several.

#ifndef SLM_LEVEL_CHUNK
#define SLM_LEVEL_CHUNK 256

// Calls BODY for the columns k ..< end of each piece of a group in the chunk that starts at
// `chunk`, with `index` that of the group among all of its matrix.
#define EACH_PIECE(...)                                                             \
  for (int64_t k = chunk; k < stop;) {                                               \
    const int64_t index = row * groups + k / group;                                  \
    const int64_t border = (k / group + 1) * group, end = border < stop ? border : stop; \
    __VA_ARGS__                                                                             \
    k = end;                                                                         \
  }

// Declares the bounds of a row's chunks.
#define EACH_CHUNK(...)                                                             \
  for (int64_t chunk = 0; chunk < columns; chunk += SLM_LEVEL_CHUNK) {               \
    const int64_t stop = chunk + SLM_LEVEL_CHUNK < columns ? chunk + SLM_LEVEL_CHUNK : columns; \
    __VA_ARGS__                                                                             \
  }
#endif

SLM_MULTIVERSION static void NAME(apply_piece)(
    const float *level, const float *shift, int64_t n, REAL scale, REAL offset, REAL *restrict out) {
// Rounded as when the weight is widened from its stored form.
#pragma STDC FP_CONTRACT OFF
  if (shift != NULL)
    for (int64_t i = 0; i < n; i++) out[i] = scale * (REAL)level[i] + offset * (REAL)shift[i];
  else
    for (int64_t i = 0; i < n; i++) out[i] = scale * (REAL)level[i] + offset;
}

SLM_MULTIVERSION static void NAME(scale_piece)(
    const float *level, int64_t n, REAL scale, REAL *restrict out) {
  for (int64_t i = 0; i < n; i++) out[i] = scale * (REAL)level[i];
}

void NAME(slm_levels_apply)(
    const struct slm_matrix *levels, const struct slm_matrix *shifts, int64_t first, int64_t count,
    int64_t group, const REAL *scales, const REAL *offsets, REAL *out) {
  const int64_t columns = levels->columns, groups = (columns + group - 1) / group;
  float level[SLM_LEVEL_CHUNK], shift[SLM_LEVEL_CHUNK];
  for (int64_t row = first; row < first + count; row++) {
    REAL *target = out + row * columns;
    EACH_CHUNK(
      slm_matrix_widen(levels, row, chunk, stop, level);
      if (shifts != NULL && offsets != NULL) slm_matrix_widen(shifts, row, chunk, stop, shift);
      EACH_PIECE(
        if (offsets == NULL)
          NAME(scale_piece)(level + k - chunk, end - k, scales[index], target + k);
        else
          NAME(apply_piece)(
              level + k - chunk, shifts == NULL ? NULL : shift + k - chunk, end - k, scales[index],
              offsets[index], target + k);
      )
    )
  }
}

// The sum of dy * level, or of dy for no level, in sixteen lanes.
SLM_MULTIVERSION static REAL NAME(piece_sum)(const REAL *dy, const float *level, int64_t n) {
  REAL lanes[16] = {0};
  int64_t k = 0;
  if (level == NULL) {
    for (; k + 16 <= n; k += 16)
      for (int i = 0; i < 16; i++) lanes[i] += dy[k + i];
    for (; k < n; k++) lanes[k % 16] += dy[k];
  } else {
    for (; k + 16 <= n; k += 16)
      for (int i = 0; i < 16; i++) lanes[i] += dy[k + i] * (REAL)level[k + i];
    for (; k < n; k++) lanes[k % 16] += dy[k] * (REAL)level[k];
  }
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

void NAME(slm_levels_gradient)(
    const struct slm_matrix *levels, const struct slm_matrix *shifts, int64_t first, int64_t count,
    int64_t group, const REAL *dy, bool accumulate_scales, REAL *dscales, bool accumulate_offsets,
    REAL *doffsets) {
  const int64_t columns = levels->columns, groups = (columns + group - 1) / group;
  float level[SLM_LEVEL_CHUNK], shift[SLM_LEVEL_CHUNK];
  for (int64_t row = first; row < first + count; row++) {
    const REAL *gradient = dy + row * columns;
    for (int64_t g = row * groups; g < (row + 1) * groups; g++) {
      if (dscales != NULL && !accumulate_scales) dscales[g] = 0;
      if (doffsets != NULL && !accumulate_offsets) doffsets[g] = 0;
    }
    EACH_CHUNK(
      if (dscales != NULL) slm_matrix_widen(levels, row, chunk, stop, level);
      if (doffsets != NULL && shifts != NULL) slm_matrix_widen(shifts, row, chunk, stop, shift);
      EACH_PIECE(
        if (dscales != NULL)
          dscales[index] += NAME(piece_sum)(gradient + k, level + k - chunk, end - k);
        if (doffsets != NULL)
          doffsets[index] += NAME(piece_sum)(
              gradient + k, shifts == NULL ? NULL : shift + k - chunk, end - k);
      )
    )
  }
}

// MARK: Rounding

SLM_MULTIVERSION static void NAME(round_piece)(
    const float *restrict w, bool in_scales, const REAL *restrict moves, int64_t n, int top,
    REAL zero, REAL scale, REAL offset, uint8_t *restrict codes, REAL *restrict out) {
#pragma STDC FP_CONTRACT OFF
  const REAL inverse = in_scales ? 1 : scale != 0 ? 1 / scale : 0, start = in_scales ? 0 : offset;
  for (int64_t i = 0; i < n; i++) {
    REAL level = ((REAL)w[i] - start) * inverse + (moves != NULL ? moves[i] : 0);
    level = (REAL)rint((double)level) + zero;
    level = level < 0 ? 0 : level > (REAL)top ? (REAL)top : level;
    if (codes != NULL) codes[i] = (uint8_t)level;
    if (out != NULL) out[i] = scale * (level - zero) + offset;
  }
}

void NAME(slm_levels_round)(
    const struct slm_matrix *weight, bool in_scales, int64_t first, int64_t count, int64_t group,
    int top, int middle, const uint8_t *zeros, const REAL *scales, const REAL *offsets,
    const REAL *moves, uint8_t *codes, REAL *out) {
  const int64_t columns = weight->columns, groups = (columns + group - 1) / group;
  float w[SLM_LEVEL_CHUNK];
  for (int64_t row = first; row < first + count; row++) {
    const int64_t start = row * columns;
    EACH_CHUNK(
      slm_matrix_widen(weight, row, chunk, stop, w);
      EACH_PIECE(
        NAME(round_piece)(
            w + k - chunk, in_scales, moves == NULL ? NULL : moves + start + k, end - k, top,
            (REAL)(zeros == NULL ? middle : zeros[index]), scales[index],
            offsets == NULL ? 0 : offsets[index], codes == NULL ? NULL : codes + start + k,
            out == NULL ? NULL : out + start + k);
      )
    )
  }
}

// Writes for each element the derivatives by its move, less the scale, and by its group's scale.
SLM_MULTIVERSION static void NAME(round_derivatives)(
    const float *restrict w, bool in_scales, const REAL *restrict moves, int64_t n, int top,
    REAL zero, REAL scale, REAL offset, REAL *restrict inside, float *restrict by_scale) {
#pragma STDC FP_CONTRACT OFF
  const REAL inverse = in_scales ? 1 : scale != 0 ? 1 / scale : 0, start = in_scales ? 0 : offset;
  for (int64_t i = 0; i < n; i++) {
    const REAL exact = ((REAL)w[i] - start) * inverse;
    const REAL level = (REAL)rint((double)(exact + (moves != NULL ? moves[i] : 0))) + zero;
    const REAL code = level < 0 ? 0 : level > (REAL)top ? (REAL)top : level;
    inside[i] = level == code ? 1 : 0;
    by_scale[i] = (float)(code - zero - (level == code && !in_scales ? exact : 0));
  }
}

void NAME(slm_levels_round_gradient)(
    const struct slm_matrix *weight, bool in_scales, int64_t first, int64_t count, int64_t group,
    int top, int middle, const uint8_t *zeros, const REAL *scales, const REAL *offsets,
    const REAL *moves, const REAL *dy, bool accumulate_scales, REAL *dscales,
    bool accumulate_offsets, REAL *doffsets, bool accumulate_moves, REAL *dmoves) {
  const int64_t columns = weight->columns, groups = (columns + group - 1) / group;
  float w[SLM_LEVEL_CHUNK], by_scale[SLM_LEVEL_CHUNK];
  REAL inside[SLM_LEVEL_CHUNK];
  for (int64_t row = first; row < first + count; row++) {
    const int64_t start = row * columns;
    for (int64_t g = row * groups; g < (row + 1) * groups; g++) {
      if (dscales != NULL && !accumulate_scales) dscales[g] = 0;
      if (doffsets != NULL && !accumulate_offsets) doffsets[g] = 0;
    }
    EACH_CHUNK(
      slm_matrix_widen(weight, row, chunk, stop, w);
      EACH_PIECE(
        const REAL *gradient = dy + start + k;
        NAME(round_derivatives)(
            w + k - chunk, in_scales, moves == NULL ? NULL : moves + start + k, end - k, top,
            (REAL)(zeros == NULL ? middle : zeros[index]), scales[index],
            offsets == NULL ? 0 : offsets[index], inside, by_scale);
        if (dscales != NULL) dscales[index] += NAME(piece_sum)(gradient, by_scale, end - k);
        for (int64_t i = 0; i < end - k && dmoves != NULL; i++) {
          const REAL d = gradient[i] * inside[i] * scales[index];
          dmoves[start + k + i] = d + (accumulate_moves ? dmoves[start + k + i] : 0);
        }
        if (doffsets != NULL) {
          // What is cut off moves with the offset; what is rounded stays where it is, unless it
          // counts from there.
          REAL sum = 0;
          for (int64_t i = 0; i < end - k; i++) sum += gradient[i] * (in_scales ? 1 : 1 - inside[i]);
          doffsets[index] += sum;
        }
      )
    )
  }
}
