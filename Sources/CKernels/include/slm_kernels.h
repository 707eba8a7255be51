#pragma once

#include "slm_attention.h"
#include "slm_convert.h"
#include "slm_elementwise.h"
#include "slm_matrix.h"
#include "slm_optimizer.h"
#include "slm_parallel.h"
#include "slm_product.h"
#include "slm_rows.h"
#include "slm_statistics.h"
