#pragma once

#include "slm_attention.h"
#include "slm_axes.h"
#include "slm_convert.h"
#include "slm_elementwise.h"
#include "slm_elementwise_gradients.h"
#include "slm_losses.h"
#include "slm_matrix.h"
#include "slm_parallel.h"
#include "slm_product.h"
#include "slm_row_gradients.h"
#include "slm_rows.h"
#include "slm_statistics.h"
