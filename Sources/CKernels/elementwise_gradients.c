#include "slm_elementwise_gradients.h"

#include "vectors.h"

// A permutation of 32 bits that lets every bit of the input reach every bit of the result: the end
// of A. Appleby's MurmurHash3 (2011).
SLM_INLINE uint32_t slm_mixed(uint32_t x) {
  x ^= x >> 16;
  x *= 0x85ebca6bu;
  x ^= x >> 13;
  x *= 0xc2b2ae35u;
  return x ^ x >> 16;
}

#define TEMPLATE "elementwise_gradients.h"
#include "templates/each_real.h"
