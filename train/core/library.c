/* learn.h as a shared library, for core.py. */
#define LEARN_DOUBLE
#include "learn.h"
