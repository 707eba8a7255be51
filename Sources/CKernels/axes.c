#include "slm_axes.h"

#define TEMPLATE "axes.h"
#include "templates/each_real.h"
