/* The interpreter, for the builds of golden.c. */
#define MINNOW_IMPLEMENTATION
#include "minnow.h"
