#pragma once

#include <math.h>

#include "vectors.h"

// Scalar functions that the compiler turns into vector code inside a loop, with their largest
// errors in units in the last place (ulp), measured over every float in range.

// exp(x), within 1.1 ulp; 0 where the result would be subnormal (x < -87.33), infinity above
// 88.72, NaN for NaN.
//
// x = n ln 2 + r with |r| <= ln 2 / 2, exp(r) by a polynomial of degree 6 (S. Moshier's Cephes
// library, expf), and n added to the exponent's bits.
#define SLM_EXP_BODY(REAL, INTEGER)                                                  \
  /* Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the sum. */     \
  REAL shifted = x * 1.44269504088896341f + 12582912.0f;                             \
  REAL n = shifted - 12582912.0f;                                                    \
  REAL r = x - n * 0.693359375f;                                                     \
  r = r - n * -2.12194440e-4f;                                                       \
  REAL p = r * 1.9875691500e-4f + 1.3981999507e-3f;                                  \
  p = p * r + 8.3334519073e-3f;                                                      \
  p = p * r + 4.1665795894e-2f;                                                      \
  p = p * r + 1.6666665459e-1f;                                                      \
  p = p * r + 5.0000001201e-1f;                                                      \
  p = p * (r * r) + r + 1.0f;                                                        \
  INTEGER bits, whole;                                                               \
  memcpy(&bits, &p, sizeof p);                                                       \
  memcpy(&whole, &shifted, sizeof shifted);                                          \
  bits += whole << 23;                                                               \
  memcpy(&p, &bits, sizeof p)

SLM_INLINE float slm_exp_f32(float x) {
  SLM_EXP_BODY(float, uint32_t);
  p = x < -87.33654f ? 0.0f : p;
  return x > 88.72283f ? INFINITY : p;
}

// The same for sixteen numbers: for loops that the compiler would give half registers.
SLM_INLINE void slm_exp16(slm_v16 *v) {
  slm_v16 x = *v;
  SLM_EXP_BODY(slm_v16, slm_u16);
  p = x < -87.33654f ? (slm_v16){} : p;
  *v = x > 88.72283f ? (slm_v16){} + INFINITY : p;
}

// The natural logarithm of sixteen normal positive numbers, within 1 ulp (S. Moshier's Cephes
// library, logf): x = m 2^e with m in [sqrt(1/2), sqrt(2)), log m by a polynomial of degree 8.
SLM_INLINE void slm_log16(slm_v16 *v) {
  slm_u16 bits;
  memcpy(&bits, v, sizeof bits);
  // The exponent that leaves a fraction from sqrt(1/2) on, whose bits are 0x3f3504f3.
  slm_i16 e = (slm_i16)(bits - 0x3f3504f3) >> 23;
  bits -= (slm_u16)e << 23;
  slm_v16 f, n = __builtin_convertvector(e, slm_v16);
  memcpy(&f, &bits, sizeof f);
  f -= 1;
  slm_v16 z = f * f;
  slm_v16 p = f * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  p = p * f * z + n * -2.12194440e-4f - 0.5f * z;
  *v = f + p + n * 0.693359375f;
}

SLM_INLINE double slm_exp_f64(double x) { return __builtin_exp(x); }

// tanh(x), within 2 ulp: a polynomial near 0 (Cephes, tanhf), elsewhere 1 - 2 / (exp(2|x|) + 1).
SLM_INLINE float slm_tanh_f32(float x) {
  float z = x * x, magnitude = __builtin_fabsf(x);
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  float small = p * z * x + x;
  float large = 1.0f - 2.0f / (slm_exp_f32(2.0f * magnitude) + 1.0f);
  return magnitude < 0.625f ? small : __builtin_copysignf(large, x);
}

SLM_INLINE double slm_tanh_f64(double x) { return __builtin_tanh(x); }

// erf(x), within 2 ulp: polynomials in two ranges by N. Juffa (2012).
SLM_INLINE float slm_erf_f32(float x) {
  float t = __builtin_fabsf(x), s = x * x;
  float large = -1.72853470e-5f * t + 3.83197126e-4f;
  float u = -3.88396438e-3f * t + 2.42546219e-2f;
  large = large * s + u;
  large = large * t - 1.06777877e-1f;
  large = large * t - 6.34846687e-1f;
  large = large * t - 1.28717512e-1f;
  large = large * t - t;
  large = __builtin_copysignf(1.0f - slm_exp_f32(large), x);
  float small = -5.96761703e-4f;
  small = small * s + 4.99119423e-3f;
  small = small * s - 2.67681349e-2f;
  small = small * s + 1.12819925e-1f;
  small = small * s - 3.76125336e-1f;
  small = small * s + 1.28379166e-1f;
  small = small * x + x;
  return t > 0.927734375f ? large : small;
}

SLM_INLINE double slm_erf_f64(double x) { return __builtin_erf(x); }

#define slm_log_f32 __builtin_logf
#define slm_log_f64 __builtin_log
#define slm_sqrt_f32 __builtin_sqrtf
#define slm_sqrt_f64 __builtin_sqrt
