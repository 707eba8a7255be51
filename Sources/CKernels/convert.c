#include "slm_convert.h"

#include "multiversion.h"
#include "numbers.h"

// Conversions go through a buffer of one of three kinds that stays in the first cache: float,
// double or int64, whichever holds every value of the source exactly.
#define CHUNK 256

typedef struct { uint16_t v; } __attribute__((packed)) u16u;
typedef struct { uint32_t v; } __attribute__((packed)) u32u;

// MARK: Widening to float

SLM_INLINE float widen_e4m3(uint8_t b) {
  uint32_t magnitude = (uint32_t)(b & 0x7f) << 20;
  float value = slm_from_bits(magnitude) * 0x1p120f;
  uint32_t special = (b & 0x7f) == 0x7f ? 0x7fc00000 : slm_to_bits(value);
  return slm_from_bits(special | (uint32_t)(b & 0x80) << 24);
}

SLM_MULTIVERSION static void widen_f16s(const u16u *restrict s, int64_t n, float *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i] = slm_widen_f16(s[i].v);
}

SLM_MULTIVERSION static void widen_bf16s(const u16u *restrict s, int64_t n, float *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i] = slm_widen_bf16(s[i].v);
}

SLM_MULTIVERSION static void widen_e4m3s(const uint8_t *restrict s, int64_t n, float *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i] = widen_e4m3(s[i]);
}

SLM_MULTIVERSION static void widen_e5m2s(const uint8_t *restrict s, int64_t n, float *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i] = slm_widen_f16((uint16_t)(s[i] << 8));
}

SLM_MULTIVERSION static void widen_i8s(const int8_t *restrict s, int64_t n, float *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i] = (float)s[i];
}

void slm_widen(int from, const void *source, int64_t count, float *target) {
  switch (from) {
  case SLM_FLOAT32: memcpy(target, source, (size_t)count * 4); break;
  case SLM_FLOAT16: widen_f16s(source, count, target); break;
  case SLM_BFLOAT16: widen_bf16s(source, count, target); break;
  case SLM_FLOAT8_E4M3: widen_e4m3s(source, count, target); break;
  case SLM_FLOAT8_E5M2: widen_e5m2s(source, count, target); break;
  case SLM_INT8: widen_i8s(source, count, target); break;
  default: slm_convert(from, source, SLM_FLOAT32, target, count);
  }
}

// MARK: Narrowing from float

// Rounds the bits of a float to a narrower format: `fraction` bits stored, the smallest normal
// number 2^`low`. Adding a power of two whose last place is the target's makes the processor
// round subnormal results; normal ones are rounded by adding just under half in integers.
SLM_INLINE uint32_t narrow(float value, int fraction, int low) {
  uint32_t bits = slm_to_bits(value) & 0x7fffffff;
  float anchor = slm_from_bits((uint32_t)(low + 23 - fraction + 127) << 23);
  uint32_t small = slm_to_bits(slm_from_bits(bits) + anchor) - slm_to_bits(anchor);
  int drop = 23 - fraction;
  uint32_t round = bits + (((uint32_t)1 << (drop - 1)) - 1) + (bits >> drop & 1);
  uint32_t normal = (round >> drop) - ((uint32_t)(low + 126) << fraction);
  return bits < (uint32_t)(low + 127) << 23 ? small : normal;
}

SLM_INLINE uint16_t narrow_f16(float value) {
  uint32_t bits = slm_to_bits(value), magnitude = bits & 0x7fffffff;
  uint32_t result = narrow(value, 10, -14);
  result = result > 0x7c00 ? 0x7c00 : result;
  result = magnitude >= 0x7f800000 ? 0x7c00 : result;
  result = magnitude > 0x7f800000 ? 0x7e00 | (magnitude >> 13 & 0x3ff) : result;
  return (uint16_t)(result | (bits >> 16 & 0x8000));
}

SLM_INLINE uint16_t narrow_bf16(float value) {
  uint32_t bits = slm_to_bits(value);
  uint32_t round = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  uint32_t nan = bits >> 16 | 0x40;
  return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : round);
}

SLM_INLINE uint8_t narrow_e4m3(float value) {
  uint32_t bits = slm_to_bits(value), magnitude = bits & 0x7fffffff;
  uint32_t result = narrow(value, 3, -6);
  result = result > 0x7e ? 0x7e : result;
  result = magnitude >= 0x7f800000 ? 0x7e : result;
  result = magnitude > 0x7f800000 ? 0x7f : result;
  return (uint8_t)(result | (bits >> 24 & 0x80));
}

SLM_INLINE uint8_t narrow_e5m2(float value) {
  uint32_t bits = slm_to_bits(value), magnitude = bits & 0x7fffffff;
  uint32_t result = narrow(value, 2, -14);
  result = result > 0x7c ? 0x7c : result;
  result = magnitude >= 0x7f800000 ? 0x7c : result;
  result = magnitude > 0x7f800000 ? 0x7f : result;
  return (uint8_t)(result | (bits >> 24 & 0x80));
}

SLM_MULTIVERSION static void narrow_f16s(const float *restrict s, int64_t n, u16u *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i].v = narrow_f16(s[i]);
}

SLM_MULTIVERSION static void narrow_bf16s(const float *restrict s, int64_t n, u16u *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i].v = narrow_bf16(s[i]);
}

SLM_MULTIVERSION static void narrow_e4m3s(const float *restrict s, int64_t n, uint8_t *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i] = narrow_e4m3(s[i]);
}

SLM_MULTIVERSION static void narrow_e5m2s(const float *restrict s, int64_t n, uint8_t *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i] = narrow_e5m2(s[i]);
}

static void narrow_floats(const float *source, int64_t count, int to, void *target) {
  switch (to) {
  case SLM_FLOAT32: memcpy(target, source, (size_t)count * 4); break;
  case SLM_FLOAT16: narrow_f16s(source, count, target); break;
  case SLM_BFLOAT16: narrow_bf16s(source, count, target); break;
  case SLM_FLOAT8_E4M3: narrow_e4m3s(source, count, target); break;
  case SLM_FLOAT8_E5M2: narrow_e5m2s(source, count, target); break;
  default: __builtin_trap();
  }
}

// MARK: Through double and int64

// Rounds to float so that a second rounding to a narrower type gives what one rounding would:
// toward zero, with the last bit set if anything was lost ("round to odd").
SLM_INLINE float round_to_odd(double value) {
  float nearest = (float)value;
  uint32_t bits = slm_to_bits(nearest);
  double back = nearest;
  bits -= __builtin_fabs(back) > __builtin_fabs(value);
  bits |= back != value && value == value;
  return slm_from_bits(bits);
}

SLM_MULTIVERSION static void narrow_doubles(const double *restrict s, int64_t n, float *restrict t) {
  for (int64_t i = 0; i < n; i++) t[i] = round_to_odd(s[i]);
}

SLM_MULTIVERSION static void truncate_doubles(
    const double *restrict s, int64_t n, int64_t *restrict t) {
  for (int64_t i = 0; i < n; i++) {
    double v = s[i];
    t[i] = v != v ? 0 : v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (int64_t)v;
  }
}

#define EACH_INTEGER(DO)                                                                  \
  DO(SLM_INT64, int64_t, INT64_MIN, INT64_MAX)                                            \
  DO(SLM_INT32, int32_t, INT32_MIN, INT32_MAX)                                            \
  DO(SLM_INT16, int16_t, INT16_MIN, INT16_MAX)                                            \
  DO(SLM_INT8, int8_t, INT8_MIN, INT8_MAX)                                                \
  DO(SLM_UINT32, uint32_t, 0, UINT32_MAX)                                                 \
  DO(SLM_UINT16, uint16_t, 0, UINT16_MAX)                                                 \
  DO(SLM_UINT8, uint8_t, 0, UINT8_MAX)

static void read_integers(int from, const void *source, int64_t n, int64_t *t) {
  switch (from) {
#define READ(CASE, TYPE, LOW, HIGH)                                        \
  case CASE: {                                                             \
    const struct { TYPE v; } __attribute__((packed)) *s = source;          \
    for (int64_t i = 0; i < n; i++) t[i] = (int64_t)s[i].v;                \
    break;                                                                 \
  }
    EACH_INTEGER(READ)
    READ(SLM_BOOL, uint8_t, 0, 1)
#undef READ
  case SLM_UINT64: {
    const struct { uint64_t v; } __attribute__((packed)) *s = source;
    for (int64_t i = 0; i < n; i++) t[i] = s[i].v > INT64_MAX ? INT64_MAX : (int64_t)s[i].v;
    break;
  }
  default: __builtin_trap();
  }
}

static void write_integers(const int64_t *s, int64_t n, int to, void *target) {
  switch (to) {
#define WRITE(CASE, TYPE, LOW, HIGH)                                               \
  case CASE: {                                                                     \
    struct { TYPE v; } __attribute__((packed)) *t = target;                        \
    for (int64_t i = 0; i < n; i++)                                                \
      t[i].v = (TYPE)(s[i] < LOW ? LOW : s[i] > HIGH ? HIGH : s[i]);               \
    break;                                                                         \
  }
    EACH_INTEGER(WRITE)
    WRITE(SLM_UINT64, uint64_t, 0, INT64_MAX)
#undef WRITE
  case SLM_BOOL: {
    uint8_t *t = target;
    for (int64_t i = 0; i < n; i++) t[i] = s[i] != 0;
    break;
  }
  default: __builtin_trap();
  }
}

static void write_doubles(const double *values, int64_t n, int to, void *target) {
  float floats[CHUNK];
  int64_t integers[CHUNK];
  if (to == SLM_FLOAT64) {
    memcpy(target, values, (size_t)n * 8);
  } else if (to == SLM_FLOAT32) {
    for (int64_t i = 0; i < n; i++) floats[i] = (float)values[i];
    memcpy(target, floats, (size_t)n * 4);
  } else if (to < SLM_INT64) {
    narrow_doubles(values, n, floats);
    narrow_floats(floats, n, to, target);
  } else if (to == SLM_BOOL) {
    for (int64_t i = 0; i < n; i++) integers[i] = values[i] != 0;
    write_integers(integers, n, to, target);
  } else {
    truncate_doubles(values, n, integers);
    write_integers(integers, n, to, target);
  }
}

static void convert_chunk(int from, const void *source, int to, void *target, int64_t n) {
  float floats[CHUNK];
  double doubles[CHUNK];
  int64_t integers[CHUNK];
  if (from >= SLM_INT64) {
    read_integers(from, source, n, integers);
    if (to >= SLM_INT64) return write_integers(integers, n, to, target);
    if (to == SLM_FLOAT32) {
      for (int64_t i = 0; i < n; i++) floats[i] = (float)integers[i];
      memcpy(target, floats, (size_t)n * 4);
      return;
    }
    for (int64_t i = 0; i < n; i++) doubles[i] = (double)integers[i];
  } else if (from == SLM_FLOAT64) {
    memcpy(doubles, source, (size_t)n * 8);
  } else {
    slm_widen(from, source, n, floats);
    if (to >= SLM_FLOAT32 && to < SLM_INT64) return narrow_floats(floats, n, to, target);
    for (int64_t i = 0; i < n; i++) doubles[i] = floats[i];
  }
  write_doubles(doubles, n, to, target);
}

static int64_t byte_count(int type) {
  static const int8_t counts[] = {8, 4, 2, 2, 1, 1, 8, 4, 2, 1, 8, 4, 2, 1, 1};
  return counts[type];
}

void slm_convert(int from, const void *source, int to, void *target, int64_t count) {
  if (from == SLM_INT8 && to == SLM_FLOAT32) return slm_widen(from, source, count, target);
  const char *s = source;
  char *t = target;
  for (int64_t done = 0; done < count; done += CHUNK) {
    int64_t n = count - done < CHUNK ? count - done : CHUNK;
    convert_chunk(from, s + done * byte_count(from), to, t + done * byte_count(to), n);
  }
}
