// PCRE2 with 8-bit code units: the functions and types that end in `_8`.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
