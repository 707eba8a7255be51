#pragma once

#include <stdint.h>

// The sixteen values of IQ4_NL and IQ4_XS, denser near zero as weights are.
static const int8_t slm_iq4_values[16] = {
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};
