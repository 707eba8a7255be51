#include "slm_elementwise.h"

#include "exponential.h"
#include "multiversion.h"

typedef float unaligned_f32 __attribute__((aligned(1)));
typedef double unaligned_f64 __attribute__((aligned(1)));

#define REAL float
#define UNALIGNED unaligned_f32
#define NAME(x) x##_f32
#define F(x) x##_f32
#include "templates/elementwise.h"
#undef REAL
#undef UNALIGNED
#undef NAME
#undef F

#define REAL double
#define UNALIGNED unaligned_f64
#define NAME(x) x##_f64
#define F(x) x##_f64
#include "templates/elementwise.h"
