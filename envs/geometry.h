/* geometry.h: small geometry that more than one environment needs. Include after env.h. */
#ifndef MINNOW_ENV_GEOMETRY_H
#define MINNOW_ENV_GEOMETRY_H
#include "env.h"

/* x brought back into [low, low + span], span > 0, by reflection at both ends, however often. */
static inline float env_fold(float x, float low, float span) {
    float u = (x - low) / span * 0.5f;
    return low + span * 2.0f * env_abs(u - env_floor(u + 0.5f));
}
#endif
