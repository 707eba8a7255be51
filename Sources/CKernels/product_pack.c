#include "multiversion.h"
#include "product_tile.h"
#include "slm_product.h"

// Sixteen rows of x, `valid` of them real, become sixteen columns of the panel.
SLM_INLINE void pack_rows(
    const float *x, int64_t row_step, int64_t valid, int64_t depth, float scale, float *out) {
  int64_t k = 0;
  for (; k + 16 <= depth; k += 16) {
    slm_v16 tile[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++)
      tile[i] = i < valid ? SLM_LOAD16(x + i * row_step + k) * scale : (slm_v16){};
    slm_transpose16(tile);
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) SLM_STORE16(out + (k + i) * SLM_PANEL, tile[i]);
  }
  for (; k < depth; k++)
    for (int i = 0; i < 16; i++)
      out[k * SLM_PANEL + i] = i < valid ? x[i * row_step + k] * scale : 0;
}

// x lies depth-major, as a panel does: rows are copied in runs.
SLM_INLINE void pack_columns(
    const float *x, int64_t depth_step, int64_t valid, int64_t depth, float scale, float *out) {
  for (int64_t k = 0; k < depth; k++) {
    slm_v16 columns = {};
    if (valid == 16)
      columns = SLM_LOAD16(x + k * depth_step);
    else
      memcpy(&columns, x + k * depth_step, (size_t)valid * 4);
    SLM_STORE16(out + k * SLM_PANEL, columns * scale);
  }
}

SLM_MULTIVERSION void slm_panels_pack(
    const float *x, int64_t row_step, int64_t depth_step, int64_t rows, int64_t depth, float scale,
    int64_t first, int64_t last, float *panels) {
  for (int64_t panel = first; panel < last; panel++) {
    float *out = panels + panel * SLM_PANEL * depth;
    for (int64_t v = 0; v < SLM_PANEL / 16; v++) {
      int64_t row = panel * SLM_PANEL + 16 * v;
      int64_t valid = rows - row > 16 ? 16 : rows - row;
      if (valid <= 0) break;  // the sweep takes only as many vectors as have rows
      if (depth_step != 1)
        pack_columns(x + row * row_step, depth_step, valid, depth, scale, out + 16 * v);
      else if (valid == 16)
        pack_rows(x + row * row_step, row_step, 16, depth, scale, out + 16 * v);
      else
        pack_rows(x + row * row_step, row_step, valid, depth, scale, out + 16 * v);
    }
  }
}
