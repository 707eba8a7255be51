#include "slm_row_gradients.h"

#define TEMPLATE "row_gradients.h"
#include "templates/each_real.h"
