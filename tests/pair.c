/* Two cubes that touch, without an arm between them. pair rest DX DY YAW: one stands on the other, 0.1 mm above it, for
 * 3 s; prints how far it has moved along and above the other, m, its speed, m/s, and how upright it is. pair meet DX DY
 * YAW: in the air, without weight, one flies at the other with 0.5 m/s; prints the sum of their speeds then, along x
 * and sideways, and the sum of squares of all six and of spins times the half edge. */
#define ENV_LANES 1
#include "stack_cube/stack_cube.c"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static State state;

int main(int argc, char **argv) {
    State *s = &state;
    Cube *red = &s->cube[0], *green = &s->cube[1];
    const env_action none[ENV_HEADS][1] = {{0.0f}};
    float number[3];
    const int meet = argc == 5 && argv[1][0] == 'm';
    for (int i = 0; i < 3; i++) {
        number[i] = argc == 5 ? (float)atof(argv[2 + i]) : 0.0f;
    }
    env_init(s, 0, 1, 2, 3, 0, 0.0f);
    env_reset(s, 0);
    cube_reset(&s->base, green, 0, 0.1f, 0.3f, 0.3f);
    cube_reset(&s->base, red, 0, 0.1f + number[0], 0.3f + number[1], 0.3f + number[2]);
    if (meet) {
        s->base.param[P_gravity][0] = 0.0f;
        green->at[2][0] = red->at[2][0] = 0.5f;
        green->v[0][0] = 0.5f;
    } else {
        red->at[2][0] = 0.0601f;
    }
    for (int tick = 0; tick < (meet ? 8 : 60); tick++) {
        ArmStep step;
        arm_begin(s, &s->base, &s->arm, none, &step);
        for (int part = 0; part < step.most; part++) {
            arm_part(&s->base, &s->arm, part, &step);
            pair_swing(&s->base, &s->arm, s->cube, &step);
        }
    }
    if (meet) {
        float sum[3] = {0.0f}, energy = 0.0f;
        for (int i = 0; i < 2; i++) {
            for (int k = 0; k < 3; k++) {
                float spin = s->cube[i].spin[k][0] * PARAM(cube_size)[0];
                sum[k] += s->cube[i].v[k][0];
                energy += s->cube[i].v[k][0] * s->cube[i].v[k][0] + spin * spin * (2.0f / 3.0f);
            }
        }
        printf("%g %g %g\n", (double)sum[0], sqrt((double)(sum[1] * sum[1] + sum[2] * sum[2])), (double)energy);
        return 0;
    }
    float x = red->at[0][0] - green->at[0][0] - number[0], y = red->at[1][0] - green->at[1][0] - number[1];
    float up = 1.0f - 2.0f * (red->turn[1][0] * red->turn[1][0] + red->turn[2][0] * red->turn[2][0]);
    printf("%g %g %g %g\n", (double)task_length(x, y, 0.0f), (double)(red->at[2][0] - green->at[2][0]),
           (double)task_length(red->v[0][0], red->v[1][0], red->v[2][0]), (double)up);
    return 0;
}
