/* env_math.c: mathf.h and random.h over arrays, for Python. */
#define ENV_PARAMS(P) P(nothing, 0.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "")
#define ENV_SLOTS 1
#define ENV_HEADS 1
#define ENV_OBS 1
#define ENV_SHAPES 1
#include "../envs/env.h"

struct State {
    EnvBase base;
};

#define OVER_ARRAY(name)                                                                                               \
    void math_##name(const float *x, float *y, int n) {                                                                \
        for (int i = 0; i < n; i++) {                                                                                  \
            y[i] = env_##name(x[i]);                                                                                   \
        }                                                                                                              \
    }
OVER_ARRAY(sin)
OVER_ARRAY(cos)
OVER_ARRAY(exp)
OVER_ARRAY(log)
OVER_ARRAY(tanh)
OVER_ARRAY(sqrt)
OVER_ARRAY(floor)
OVER_ARRAY(nearest)

void math_atan2(const float *y, const float *x, float *out, int n) {
    for (int i = 0; i < n; i++) {
        out[i] = env_atan2(y[i], x[i]);
    }
}

void math_threefry(const uint32_t in[4], uint32_t out[2]) {
    EnvBits bits = env_threefry(in[0], in[1], in[2], in[3]);
    out[0] = bits.a;
    out[1] = bits.b;
}

/* kind: 0 uniform, 1 normal, 2 below 6, 3 between -1 and 3, 4 noise of successive ticks */
void math_draw(uint32_t key, int kind, float *out, int n) {
    State s = {.base = {.key = {{key}, {1}}}};
    for (int i = 0; i < n; i++) {
        s.base.tick[0] = i;
        out[i] = kind == 0   ? env_uniform(&s, 0)
                 : kind == 1 ? env_normal(&s, 0)
                 : kind == 2 ? (float)env_below(&s, 0, 6)
                 : kind == 3 ? env_between(&s, 0, -1.0f, 3.0f)
                             : env_noise(&s, 0, 0, 2);
    }
}
