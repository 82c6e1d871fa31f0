/* arm_probe.c: the arm's dynamics alone, ENV_LANES arms at once, for Python. */
#define ENV_LANES 16
#define ENV_OBS 1
#define ENV_SHAPES 1
#include "../envs/arm/params.h"
#define ENV_PARAMS(P) ARM_PARAMS(P)
#include "../envs/env.h"

#include "../envs/arm/arm.h"

struct State {
    EnvBase base;
    Arm arm;
};

static void defaults(EnvBase *base) {
    for (int i = 0; i < ENV_PARAM_COUNT; i++) {
        EACH_LANE(l) {
            base->param[i][l] = env_params[i].value;
        }
    }
}

/* The lower halves of mass matrices, [7][8][lanes], with a load of so many kg at a place, [3][lanes]. */
void probe_mass(float (*q)[ENV_LANES], float kg, float (*place)[ENV_LANES], float (*out)[8][ENV_LANES]) {
    static State s;
    float hand[3][ENV_LANES], turn[4][ENV_LANES];
    ArmChain chain;
    ArmBodies bodies;
    ArmLoad load;
    defaults(&s.base);
    memcpy(s.arm.q, q, ARM_JOINTS * sizeof *q);
    memset(&load, 0, sizeof load);
    memcpy(load.at, place, sizeof load.at);
    EACH_LANE(l) {
        load.mass[l] = kg;
    }
    arm_place(&s.base, s.arm.q, hand, turn, &chain);
    arm_bodies(&s.base, &chain, &load, &bodies);
    arm_mass(&bodies, out);
}

/* The hand's place, [3][lanes], and turn, w, x, y, z, [4][lanes], for joints q. */
void probe_place(float (*q)[ENV_LANES], float (*at)[ENV_LANES], float (*turn)[ENV_LANES]) {
    static State s;
    defaults(&s.base);
    memcpy(s.arm.q, q, ARM_JOINTS * sizeof *q);
    arm_place(&s.base, s.arm.q, at, turn, 0);
}

/* The inertias of level 0, [7]. */
void probe_inertias(float *out) {
    for (int i = 0; i < ARM_JOINTS; i++) {
        out[i] = arm_joint[i].inertia;
    }
}

/* Moves joints q, v [7][lanes] through so many parts, each of so many seconds, without drives, under so much of their
 * weight; the table is out of the way. */
void probe_swing(float (*q)[ENV_LANES], float (*v)[ENV_LANES], float level, float sag, float seconds, int parts) {
    static State s;
    static float action[ARM_HEADS][ENV_LANES];
    ArmStep step;
    defaults(&s.base);
    EACH_LANE(l) {
        ARM_PARAM(&s.base, stiffness)[l] = 1e-6f;
        ARM_PARAM(&s.base, damping)[l] = 0.0f;
        ARM_PARAM(&s.base, table)[l] = -9.0f;
        ARM_PARAM(&s.base, level)[l] = level;
        ARM_PARAM(&s.base, sag)[l] = sag;
        ARM_PARAM(&s.base, substeps)[l] = (float)parts;
        ARM_PARAM(&s.base, rate)[l] = 1.0f / (seconds * (float)parts);
    }
    memcpy(s.arm.q, q, ARM_JOINTS * sizeof *q);
    memcpy(s.arm.v, v, ARM_JOINTS * sizeof *v);
    arm_begin(&s, &s.base, &s.arm, (const env_action(*)[ENV_LANES])action, &step);
    for (int part = 0; part < parts; part++) {
        arm_part(&s.base, &s.arm, part, &step);
        arm_swing(&s.base, &s.arm, &step);
    }
    memcpy(q, s.arm.q, ARM_JOINTS * sizeof *q);
    memcpy(v, s.arm.v, ARM_JOINTS * sizeof *v);
}
