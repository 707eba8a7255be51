#include "slm_rows.h"

#define TEMPLATE "rows.h"
#include "templates/each_real.h"
