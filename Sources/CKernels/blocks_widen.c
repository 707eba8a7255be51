#include "blocks_widen.h"

#include "include/slm_blocks.h"
#include "multiversion.h"

#define SLM_CASE(name, format, length)                                        \
  case name: {                                                                \
    const slm_##format *block = blocks;                                       \
    for (int64_t i = 0; i < count / (length); i++) {                          \
      slm_widen_##format(block + i, out + i * (length));                      \
    }                                                                         \
    return 0;                                                                 \
  }

SLM_MULTIVERSION
int slm_blocks_widen(int format, const void *blocks, int64_t count, float *restrict out) {
  switch (format) {
    SLM_CASE(SLM_BLOCK_Q4_0, q4_0, 32)
    SLM_CASE(SLM_BLOCK_Q4_1, q4_1, 32)
    SLM_CASE(SLM_BLOCK_Q5_0, q5_0, 32)
    SLM_CASE(SLM_BLOCK_Q5_1, q5_1, 32)
    SLM_CASE(SLM_BLOCK_Q8_0, q8_0, 32)
    SLM_CASE(SLM_BLOCK_Q2_K, q2_k, 256)
    SLM_CASE(SLM_BLOCK_Q3_K, q3_k, 256)
    SLM_CASE(SLM_BLOCK_Q4_K, q4_k, 256)
    SLM_CASE(SLM_BLOCK_Q5_K, q5_k, 256)
    SLM_CASE(SLM_BLOCK_Q6_K, q6_k, 256)
    SLM_CASE(SLM_BLOCK_IQ4_NL, iq4_nl, 32)
    SLM_CASE(SLM_BLOCK_IQ4_XS, iq4_xs, 256)
  default:
    return -1;
  }
}
