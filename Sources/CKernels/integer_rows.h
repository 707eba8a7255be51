#pragma once

#include "slm_integer.h"

// Whether x has so few rows that reading the weight once, with dot products, beats packing.
bool slm_integer_is_narrow(const struct slm_integer *p);

// The bytes that the product of few rows needs.
size_t slm_integer_narrow_bytes(const struct slm_integer *p);

// Computes the product of few rows.
void slm_integer_narrow_product(const struct slm_integer *p, void *bytes, int threads);
