#include "slm_memory.h"

#include <stdlib.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

void slm_close_gaps(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}
