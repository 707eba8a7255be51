#include "slm_losses.h"

#define TEMPLATE "losses.h"
#include "templates/each_real.h"
