/* learn.h as a shared library, for learn.py. */
#define LEARN_DOUBLE
#include "learn.h"
