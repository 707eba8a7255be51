#include "slm_rows.h"

#include "exponential.h"
#include "multiversion.h"

#define REAL float
#define NAME(x) x##_f32
#define EXP16 slm_exp16
#include "templates/rows.h"
#undef REAL
#undef NAME
#undef EXP16

typedef double vector_f64_lanes __attribute__((ext_vector_type(16)));

SLM_INLINE void exp16_f64(vector_f64_lanes *v) {
  for (int i = 0; i < 16; i++) (*v)[i] = slm_exp_f64((*v)[i]);
}

#define REAL double
#define NAME(x) x##_f64
#define EXP16 exp16_f64
#include "templates/rows.h"
