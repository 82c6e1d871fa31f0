/* The interpreter, for the games that are linked with it: GAME_APART in game.c. */
#define MINNOW_IMPLEMENTATION
#include "minnow.h"
