// Includes TEMPLATE once for float and once for double, with
//
//     REAL       the type of the elements, and UNALIGNED the same at any address
//     NAME(x)    the name of a function
//     F(x)       the name of a scalar function of exponential.h
//     EXP16(v)   the exponential of sixteen lanes

#include "../exponential.h"
#include "../multiversion.h"

typedef float slm_unaligned_f32 __attribute__((aligned(1)));
typedef double slm_unaligned_f64 __attribute__((aligned(1)));
typedef double slm_lanes_f64 __attribute__((ext_vector_type(16)));

SLM_INLINE void slm_exp16_f64(slm_lanes_f64 *v) {
  for (int i = 0; i < 16; i++) (*v)[i] = slm_exp_f64((*v)[i]);
}

#define REAL float
#define UNALIGNED slm_unaligned_f32
#define NAME(x) x##_f32
#define F(x) x##_f32
#define EXP16 slm_exp16
#include "lanes.h"
#include TEMPLATE
#undef REAL
#undef UNALIGNED
#undef NAME
#undef F
#undef EXP16

#define REAL double
#define UNALIGNED slm_unaligned_f64
#define NAME(x) x##_f64
#define F(x) x##_f64
#define EXP16 slm_exp16_f64
#include "lanes.h"
#include TEMPLATE
#undef REAL
#undef UNALIGNED
#undef NAME
#undef F
#undef EXP16
