#include "blocks_round.h"

#include "include/slm_blocks.h"
#include "multiversion.h"

#define SLM_CASE(name, format)                                                \
  case name: {                                                                \
    slm_##format *block = blocks;                                             \
    for (int64_t i = 0; i < count / 32; i++) {                                \
      slm_round_##format(values + i * 32, block + i);                         \
    }                                                                         \
    return 0;                                                                 \
  }

SLM_MULTIVERSION
int slm_blocks_round(int format, const float *restrict values, int64_t count, void *blocks) {
  switch (format) {
    SLM_CASE(SLM_BLOCK_Q4_0, q4_0)
    SLM_CASE(SLM_BLOCK_Q4_1, q4_1)
    SLM_CASE(SLM_BLOCK_Q5_0, q5_0)
    SLM_CASE(SLM_BLOCK_Q5_1, q5_1)
    SLM_CASE(SLM_BLOCK_Q8_0, q8_0)
  default:
    return -1;
  }
}
