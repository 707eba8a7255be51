// Dot products of rows of GGUF blocks with prepared rows of x, compiled for one CPU; see
// product_blocks.c. To be defined:
//
//     NAME(x)         the name of a function
//     TARGET          the attribute that names the CPU
//     SUB_BLOCKS      how the loop over a large block's sub-blocks is compiled
//     LOOK_UP(codes)  replaces codes of IQ4 by their values

// The codes of even columns and of odd ones in words. BITS are those of a code.
#define UNSIGNED(codes, BITS, even, odd)                                                         \
  do {                                                                                           \
    slm_codes32 alone = (codes) & (uint32_t)(BITS) * 0x01010101;                                 \
    even = (slm_words16)(alone & 0x00ff00ff);                                                    \
    odd = (slm_words16)((slm_unsigned16)alone >> 8);                                             \
  } while (0)

// The same of signed bytes.
#define SIGNED(codes, BITS, even, odd)                                                           \
  do {                                                                                           \
    even = ((slm_words16)(codes) << 8) >> 8;                                                     \
    odd = (slm_words16)(codes) >> 8;                                                             \
  } while (0)

// Adds to own[i] what 32 codes of a row of w contribute, times those of X rows of x. MIDDLE tells
// whether the sums of x stand for a code of zero, MINIMUM whether something is added to each value.
#define ADD(X, from, BITS, MIDDLE, MINIMUM, WIDEN)                                               \
  do {                                                                                           \
    slm_words16 even, odd;                                                                       \
    WIDEN(codes, BITS, even, odd);                                                               \
    SLM_UNROLL for (int i = 0; i < X; i++) {                                                     \
      const float *column = (from) + i * x_step;                                                 \
      slm_signed8 first, second;                                                                 \
      multiply_words(&even, (const slm_words16 *)column, &first);                                \
      multiply_words(&odd, (const slm_words16 *)column + 1, &second);                            \
      first += second;                                                                           \
      if (MIDDLE) first += *(const slm_signed8 *)(column + SLM_PREPARED_SUMS);                   \
      own[i] = __builtin_convertvector(first, slm_v8) * (scale * column[SLM_PREPARED_SCALE])     \
             + own[i];                                                                           \
      if (MINIMUM) own[i] = SLM_LOAD8(column + SLM_PREPARED_SUMS) * minimum + own[i];            \
    }                                                                                            \
  } while (0)

// Asks for as much memory as step number `step` reads.
#define ASK(step, BYTES)                                                                         \
  SLM_UNROLL for (int line = 0; line < (BYTES); line += 64)                                      \
    __builtin_prefetch((const char *)w[r] + (step) * (BYTES) + line + ahead);

// All blocks of four rows of w, one row after another: so memory is read in its order.
#define EACH_ROW(X, BYTES, LENGTH, ...)                                                          \
  do {                                                                                           \
    slm_v8 sum[X][4];                                                                            \
    for (int r = 0; r < 4; r++) {                                                                \
      slm_v8 own[X] = {};                                                                        \
      const float *from = x;                                                                     \
      for (int64_t b = 0; b < depth / LENGTH; b++) {                                             \
        const uint8_t *p = (const uint8_t *)w[r] + b * BYTES;                                    \
        __VA_ARGS__                                                                              \
      }                                                                                          \
      SLM_UNROLL for (int i = 0; i < X; i++) sum[i][r] = own[i];                                 \
    }                                                                                            \
    SLM_UNROLL for (int i = 0; i < X; i++) slm_sums4x8(sum[i], dots + 4 * i);                    \
  } while (0)

// Blocks of 32, which begin with their scale and, if MINIMUM, what is added.
#define SMALL(X, BYTES, CODES, BITS, MIDDLE, MINIMUM, WIDEN)                                     \
  EACH_ROW(X, BYTES, 32, {                                                                       \
    slm_v8 scale, minimum;                                                                       \
    slm_grid_small(p, &scale, &minimum);                                                         \
    ASK(b, BYTES);                                                                               \
    slm_codes32 codes;                                                                           \
    CODES(p, 0, &codes);                                                                         \
    ADD(X, from, BITS, MIDDLE, MINIMUM, WIDEN);                                                  \
    from += SLM_PREPARED;                                                                        \
  })

// Blocks of 256 with sub-blocks of SUB, whose scales and minimums GRID writes.
#define LARGE(X, BYTES, CODES, BITS, MIDDLE, MINIMUM, WIDEN, SUB, GRID)                          \
  EACH_ROW(X, BYTES, 256, {                                                                      \
    float scales[16], minimums[16];                                                              \
    GRID(p, scales, minimums);                                                                   \
    SUB_BLOCKS for (int u = 0; u < 8; u++) {                                                     \
      ASK(8 * b + u, BYTES / 8);                                                                 \
      slm_codes32 codes;                                                                         \
      slm_v8 scale, minimum;                                                                     \
      CODES(p, u, &codes);                                                                       \
      slm_spread_grid(scales, u, SUB, &scale);                                                   \
      if (MINIMUM) slm_spread_grid(minimums, u, SUB, &minimum);                                  \
      ADD(X, from, BITS, MIDDLE, MINIMUM, WIDEN);                                                \
      from += SLM_PREPARED;                                                                      \
    }                                                                                            \
  })

#define DEFINE(FORMAT, KIND, ...)                                                                \
  TARGET static void NAME(FORMAT)(                                                               \
      const void *const *w, const float *x, int64_t x_step, int64_t rows, int64_t depth,         \
      int64_t ahead, float *dots) {                                                              \
    switch (rows) {                                                                              \
    case 1: KIND(1, __VA_ARGS__); break;                                                         \
    case 2: KIND(2, __VA_ARGS__); break;                                                         \
    case 3: KIND(3, __VA_ARGS__); break;                                                         \
    default: KIND(4, __VA_ARGS__);                                                               \
    }                                                                                            \
  }

#define CODES_IQ4_NL(p, u, codes) slm_codes_q4_0(p, u, codes), LOOK_UP(codes)
#define CODES_IQ4_XS(p, u, codes) slm_codes_iq4_xs(p, u, codes), LOOK_UP(codes)

DEFINE(q4_0, SMALL, 18, slm_codes_q4_0, 15, 1, 0, UNSIGNED)
DEFINE(q4_1, SMALL, 20, slm_codes_q4_1, 15, 0, 1, UNSIGNED)
DEFINE(q5_0, SMALL, 22, slm_codes_q5_0, 31, 1, 0, UNSIGNED)
DEFINE(q5_1, SMALL, 24, slm_codes_q5_1, 31, 0, 1, UNSIGNED)
DEFINE(q8_0, SMALL, 34, slm_codes_q8_0, 255, 0, 0, SIGNED)
DEFINE(iq4_nl, SMALL, 18, CODES_IQ4_NL, 255, 0, 0, SIGNED)
DEFINE(q2_k, LARGE, 84, slm_codes_q2_k, 3, 0, 1, UNSIGNED, 16, slm_grid_large_q2_k)
DEFINE(q3_k, LARGE, 110, slm_codes_q3_k, 7, 1, 0, UNSIGNED, 16, slm_grid_large_q3_k)
DEFINE(q4_k, LARGE, 144, slm_codes_q4_k, 15, 0, 1, UNSIGNED, 32, slm_grid_large_q4_k)
DEFINE(q5_k, LARGE, 176, slm_codes_q5_k, 31, 0, 1, UNSIGNED, 32, slm_grid_large_q4_k)
DEFINE(q6_k, LARGE, 210, slm_codes_q6_k, 63, 1, 0, UNSIGNED, 16, slm_grid_large_q6_k)
DEFINE(iq4_xs, LARGE, 136, CODES_IQ4_XS, 255, 0, 0, SIGNED, 32, slm_grid_large_iq4_xs)

// The function of a format, or NULL for one that is not listed.
static slm_block_dots *NAME(block_dots)(int format) {
  switch (format) {
  case SLM_BLOCK_Q4_0: return NAME(q4_0);
  case SLM_BLOCK_Q4_1: return NAME(q4_1);
  case SLM_BLOCK_Q5_0: return NAME(q5_0);
  case SLM_BLOCK_Q5_1: return NAME(q5_1);
  case SLM_BLOCK_Q8_0: return NAME(q8_0);
  case SLM_BLOCK_IQ4_NL: return NAME(iq4_nl);
  case SLM_BLOCK_Q2_K: return NAME(q2_k);
  case SLM_BLOCK_Q3_K: return NAME(q3_k);
  case SLM_BLOCK_Q4_K: return NAME(q4_k);
  case SLM_BLOCK_Q5_K: return NAME(q5_k);
  case SLM_BLOCK_Q6_K: return NAME(q6_k);
  case SLM_BLOCK_IQ4_XS: return NAME(iq4_xs);
  default: return NULL;
  }
}

#undef UNSIGNED
#undef SIGNED
#undef ADD
#undef ASK
#undef EACH_ROW
#undef SMALL
#undef LARGE
#undef DEFINE
#undef CODES_IQ4_NL
#undef CODES_IQ4_XS
#undef NAME
#undef TARGET
#undef SUB_BLOCKS
#undef LOOK_UP
