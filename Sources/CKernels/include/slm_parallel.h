#pragma once

#include <stddef.h>
#include <stdint.h>

// Called with disjoint ranges of the items, from any thread.
typedef void slm_part(void *context, int64_t begin, int64_t end);

// Runs `body` over 0..<count in parts of `size` items, on the calling thread and up to
// `threads - 1` others, and returns when all parts are done.
//
// The other threads live as long as the program. Between two regions they watch for work for a
// short time and then sleep, so that a row of small regions costs a microsecond each. A region
// that starts while another is running, from another thread or nested, runs on its caller alone.
void slm_parallel(int threads, int64_t count, int64_t size, void *context, slm_part *body);

// Returns at least `bytes` bytes that belong to the calling thread, aligned to 64, contents
// undefined. The next call on the same thread may return the same bytes.
void *slm_scratch(size_t bytes);
