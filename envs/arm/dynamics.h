/* dynamics.h: how the arm's joints move each other: its mass matrix, and the torques of speeds and of weight.
 *
 * Everything is reckoned in the world's axes about the shoulder, the first joint's place, where inertias of bodies
 * simply add: the mass matrix by composite bodies, the torques by Newton and Euler's recursion (Featherstone, "Rigid
 * body dynamics algorithms", 2008). What the hand weighs is part of the last link. */
#ifndef MINNOW_ENV_ARM_DYNAMICS_H
#define MINNOW_ENV_ARM_DYNAMICS_H
#include "chain.h"

/* A link: kg, m in its frame, and about its centre xx, xy, xz, yy, yz, zz, kg m^2. */
typedef struct ArmLink {
    float mass, centre[3], inertia[6];
} ArmLink;
static const ArmLink arm_link[ARM_JOINTS] = {ARM_LINKS};

/* What the hand carries: its mass, kg, its weight, N, and where it is in the world. */
typedef struct ArmLoad {
    float mass[ENV_LANES], weight[ENV_LANES], at[3][ENV_LANES];
} ArmLoad;

/* The arm's bodies where they are. */
typedef struct ArmBodies {
    float screw[ARM_JOINTS][6][ENV_LANES]; /* of a joint: its axis; speed at the shoulder of what turns about it */
    float body[ARM_JOINTS][10][ENV_LANES]; /* mass; mass times centre; inertia xx, xy, xz, yy, yz, zz */
    float load[3][ENV_LANES], up[ENV_LANES], weight[ENV_LANES]; /* of the load: place, what pulls it, beyond `up` */
} ArmBodies;

static void arm_bodies(const EnvBase *base, const ArmChain *chain, const ArmLoad *load, ArmBodies *b) {
    for (int i = 0; i < ARM_JOINTS; i++) {
        const ArmLink *link = &arm_link[i];
        const float xx = link->inertia[0], xy = link->inertia[1], xz = link->inertia[2];
        const float yy = link->inertia[3], yz = link->inertia[4], zz = link->inertia[5];
        const float cx = link->centre[0], cy = link->centre[1], cz = link->centre[2];
        EACH_LANE(l) {
            float x = chain->at[i][0][l] - chain->at[0][0][l], y = chain->at[i][1][l] - chain->at[0][1][l];
            float z = chain->at[i][2][l] - chain->at[0][2][l];
            float ax = chain->axis[i][0][l], ay = chain->axis[i][1][l], az = chain->axis[i][2][l];
            b->screw[i][0][l] = ax;
            b->screw[i][1][l] = ay;
            b->screw[i][2][l] = az;
            b->screw[i][3][l] = y * az - z * ay;
            b->screw[i][4][l] = z * ax - x * az;
            b->screw[i][5][l] = x * ay - y * ax;
            /* columns of the link's turn: the third is the axis */
            float tw = chain->turn[i][0][l], tx = chain->turn[i][1][l], ty = chain->turn[i][2][l],
                  tz = chain->turn[i][3][l];
            float ux = 1.0f - 2.0f * (ty * ty + tz * tz), uy = 2.0f * (tx * ty + tw * tz),
                  uz = 2.0f * (tx * tz - tw * ty);
            float vx = 2.0f * (tx * ty - tw * tz), vy = 1.0f - 2.0f * (tx * tx + tz * tz),
                  vz = 2.0f * (ty * tz + tw * tx);
            float mass = link->mass * ARM_PARAM(base, link_mass)[l], share = ARM_PARAM(base, link_mass)[l];
            x += ux * cx + vx * cy + ax * cz;
            y += uy * cx + vy * cy + ay * cz;
            z += uz * cx + vz * cy + az * cz;
            b->body[i][0][l] = mass;
            b->body[i][1][l] = mass * x;
            b->body[i][2][l] = mass * y;
            b->body[i][3][l] = mass * z;
            /* the turn times the inertia, by columns, then times the turn's transpose */
            float px = ux * xx + vx * xy + ax * xz, py = uy * xx + vy * xy + ay * xz, pz = uz * xx + vz * xy + az * xz;
            float qx = ux * xy + vx * yy + ax * yz, qy = uy * xy + vy * yy + ay * yz, qz = uz * xy + vz * yy + az * yz;
            float rx = ux * xz + vx * yz + ax * zz, ry = uy * xz + vy * yz + ay * zz, rz = uz * xz + vz * yz + az * zz;
            b->body[i][4][l] = share * (px * ux + qx * vx + rx * ax) + mass * (y * y + z * z);
            b->body[i][5][l] = share * (px * uy + qx * vy + rx * ay) - mass * (x * y);
            b->body[i][6][l] = share * (px * uz + qx * vz + rx * az) - mass * (x * z);
            b->body[i][7][l] = share * (py * uy + qy * vy + ry * ay) + mass * (x * x + z * z);
            b->body[i][8][l] = share * (py * uz + qy * vz + ry * az) - mass * (y * z);
            b->body[i][9][l] = share * (pz * uz + qz * vz + rz * az) + mass * (x * x + y * y);
        }
    }
    float (*last)[ENV_LANES] = b->body[ARM_JOINTS - 1];
    EACH_LANE(l) {
        float mass = load->mass[l], x = load->at[0][l] - chain->at[0][0][l], y = load->at[1][l] - chain->at[0][1][l];
        float z = load->at[2][l] - chain->at[0][2][l];
        last[0][l] += mass;
        last[1][l] += mass * x;
        last[2][l] += mass * y;
        last[3][l] += mass * z;
        last[4][l] += mass * (y * y + z * z);
        last[5][l] -= mass * (x * y);
        last[6][l] -= mass * (x * z);
        last[7][l] += mass * (x * x + z * z);
        last[8][l] -= mass * (y * z);
        last[9][l] += mass * (x * x + y * y);
        b->load[0][l] = x;
        b->load[1][l] = y;
        b->load[2][l] = z;
        b->up[l] = ARM_GRAVITY * ARM_PARAM(base, sag)[l];
        b->weight[l] = load->weight[l] - mass * b->up[l];
    }
}

/* The lower half of the mass matrix [ARM_JOINTS][ARM_JOINTS], kg m^2. */
static void arm_mass(const ArmBodies *b, float (*a)[ARM_MOST_UNKNOWNS][ENV_LANES]) {
    float c[10][ENV_LANES], f[6][ENV_LANES];
    memset(c, 0, sizeof c);
    for (int i = ARM_JOINTS - 1; i >= 0; i--) {
        for (int k = 0; k < 10; k++) {
            EACH_LANE(l) {
                c[k][l] += b->body[i][k][l];
            }
        }
        EACH_LANE(l) { /* the momentum of all that turns with the joint, at 1 rad/s */
            float wx = b->screw[i][0][l], wy = b->screw[i][1][l], wz = b->screw[i][2][l];
            float vx = b->screw[i][3][l], vy = b->screw[i][4][l], vz = b->screw[i][5][l];
            f[0][l] = c[4][l] * wx + c[5][l] * wy + c[6][l] * wz + (c[2][l] * vz - c[3][l] * vy);
            f[1][l] = c[5][l] * wx + c[7][l] * wy + c[8][l] * wz + (c[3][l] * vx - c[1][l] * vz);
            f[2][l] = c[6][l] * wx + c[8][l] * wy + c[9][l] * wz + (c[1][l] * vy - c[2][l] * vx);
            f[3][l] = c[0][l] * vx + (wy * c[3][l] - wz * c[2][l]);
            f[4][l] = c[0][l] * vy + (wz * c[1][l] - wx * c[3][l]);
            f[5][l] = c[0][l] * vz + (wx * c[2][l] - wy * c[1][l]);
        }
        for (int j = 0; j <= i; j++) {
            EACH_LANE(l) {
                a[i][j][l] = b->screw[j][0][l] * f[0][l] + b->screw[j][1][l] * f[1][l] + b->screw[j][2][l] * f[2][l] +
                             b->screw[j][3][l] * f[3][l] + b->screw[j][4][l] * f[4][l] + b->screw[j][5][l] * f[5][l];
            }
        }
    }
}

/* The torques, N m, that joints at speeds v [ARM_JOINTS] need so as not to speed up: against Coriolis' and centrifugal
 * forces and the weight that nothing else carries. */
static void arm_bias(const ArmBodies *b, float (*v)[ENV_LANES], float torque[ARM_JOINTS][ENV_LANES]) {
    float w[6][ENV_LANES], a[6][ENV_LANES], f[ARM_JOINTS][6][ENV_LANES];
    memset(w, 0, sizeof w);
    memset(a, 0, sizeof a);
    memcpy(a[5], b->up, sizeof a[5]);
    for (int i = 0; i < ARM_JOINTS; i++) {
        EACH_LANE(l) { /* speeds and accelerations at the shoulder: turning, then moving */
            float s0 = v[i][l] * b->screw[i][0][l], s1 = v[i][l] * b->screw[i][1][l], s2 = v[i][l] * b->screw[i][2][l];
            float s3 = v[i][l] * b->screw[i][3][l], s4 = v[i][l] * b->screw[i][4][l], s5 = v[i][l] * b->screw[i][5][l];
            float wx = w[0][l], wy = w[1][l], wz = w[2][l], vx = w[3][l], vy = w[4][l], vz = w[5][l];
            a[0][l] += wy * s2 - wz * s1;
            a[1][l] += wz * s0 - wx * s2;
            a[2][l] += wx * s1 - wy * s0;
            a[3][l] += (wy * s5 - wz * s4) + (vy * s2 - vz * s1);
            a[4][l] += (wz * s3 - wx * s5) + (vz * s0 - vx * s2);
            a[5][l] += (wx * s4 - wy * s3) + (vx * s1 - vy * s0);
            w[0][l] = wx + s0;
            w[1][l] = wy + s1;
            w[2][l] = wz + s2;
            w[3][l] = vx + s3;
            w[4][l] = vy + s4;
            w[5][l] = vz + s5;
        }
        EACH_LANE(l) {
            float m = b->body[i][0][l], cx = b->body[i][1][l], cy = b->body[i][2][l], cz = b->body[i][3][l];
            float xx = b->body[i][4][l], xy = b->body[i][5][l], xz = b->body[i][6][l];
            float yy = b->body[i][7][l], yz = b->body[i][8][l], zz = b->body[i][9][l];
            float wx = w[0][l], wy = w[1][l], wz = w[2][l], vx = w[3][l], vy = w[4][l], vz = w[5][l];
            /* momentum, turning and moving */
            float hx = xx * wx + xy * wy + xz * wz + (cy * vz - cz * vy);
            float hy = xy * wx + yy * wy + yz * wz + (cz * vx - cx * vz);
            float hz = xz * wx + yz * wy + zz * wz + (cx * vy - cy * vx);
            float px = m * vx + (wy * cz - wz * cy), py = m * vy + (wz * cx - wx * cz);
            float pz = m * vz + (wx * cy - wy * cx);
            float ex = a[0][l], ey = a[1][l], ez = a[2][l], gx = a[3][l], gy = a[4][l], gz = a[5][l];
            f[i][0][l] = xx * ex + xy * ey + xz * ez + (cy * gz - cz * gy) + (wy * hz - wz * hy) + (vy * pz - vz * py);
            f[i][1][l] = xy * ex + yy * ey + yz * ez + (cz * gx - cx * gz) + (wz * hx - wx * hz) + (vz * px - vx * pz);
            f[i][2][l] = xz * ex + yz * ey + zz * ez + (cx * gy - cy * gx) + (wx * hy - wy * hx) + (vx * py - vy * px);
            f[i][3][l] = m * gx + (ey * cz - ez * cy) + (wy * pz - wz * py);
            f[i][4][l] = m * gy + (ez * cx - ex * cz) + (wz * px - wx * pz);
            f[i][5][l] = m * gz + (ex * cy - ey * cx) + (wx * py - wy * px);
        }
    }
    EACH_LANE(l) {
        f[ARM_JOINTS - 1][0][l] += b->load[1][l] * b->weight[l];
        f[ARM_JOINTS - 1][1][l] -= b->load[0][l] * b->weight[l];
        f[ARM_JOINTS - 1][5][l] += b->weight[l];
    }
    memset(w, 0, sizeof w);
    for (int i = ARM_JOINTS - 1; i >= 0; i--) {
        EACH_LANE(l) {
            w[0][l] += f[i][0][l];
            w[1][l] += f[i][1][l];
            w[2][l] += f[i][2][l];
            w[3][l] += f[i][3][l];
            w[4][l] += f[i][4][l];
            w[5][l] += f[i][5][l];
            torque[i][l] = b->screw[i][0][l] * w[0][l] + b->screw[i][1][l] * w[1][l] + b->screw[i][2][l] * w[2][l] +
                           b->screw[i][3][l] * w[3][l] + b->screw[i][4][l] * w[4][l] + b->screw[i][5][l] * w[5][l];
        }
    }
}
#endif
