#pragma once

// The umbrella of the C kernels: loops over contiguous rows that Swift calls through pointers.
// No kernel allocates, keeps state or starts threads; the caller divides rows between threads.
// slm_parallel.h has the threads, with the memory that each keeps, and slm_memory.h what concerns
// the memory of the whole process.

#include "slm_blocks.h"
#include "slm_calibration.h"
#include "slm_gptq.h"
#include "slm_kernels.h"
#include "slm_levels.h"
#include "slm_round.h"
#include "slm_sparsity.h"
