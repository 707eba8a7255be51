#pragma once

// Compiles a function three times and picks one by CPU when the program is loaded. Elsewhere
// than on x86-64 the compiler's own baseline is enough and the macro is empty.
#if defined(__x86_64__) && defined(__linux__)
#define SLM_MULTIVERSION \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SLM_MULTIVERSION
#endif
