/* panda.h: the measures of the Franka Emika Panda, the robot where a task's C file has included no other's first
 * (`minnow arm import` writes such a header from a URDF).
 *
 * Sources. Denavit-Hartenberg parameters (Craig's form), limits of joints and the hand: Franka Emika, "Robot and
 * interface specifications". Masses, centres and inertias: Gaz, Cognetti, Oliva, Robuffo Giordano and De Luca, "Dynamic
 * identification of the Franka Emika Panda robot with retrieval of feasible parameters using penalty-based
 * optimization", RA-L 4(4), 2019; with the hand and the two fingers, 0.76 kg, as part of the last link. Gains: those of
 * ManiSkill 3.0.1, control mode pd_joint_delta_pos. */
#ifndef ARM_JOINTS
#define ARM_JOINTS 7

#ifndef ARM_REST_7 /* where the last joint begins */
#define ARM_REST_7 0.785398163f
#endif

#define ARM_BASE_X (-0.615f)     /* where the base stands, m */
#define ARM_STIFFNESS 1000.0f    /* of the drives, N m/rad */
#define ARM_DAMPING 100.0f       /* N m s/rad */
#define ARM_TORQUE 100.0f        /* the strongest joint's, N m */
#define ARM_QUARTER 0.707106781f /* sine and cosine of half of a quarter turn */

/* Of each joint: its number; where its frame is in the one before, m, how turned, w, x, y, z, and how far along its own
 * z, about which it turns, m; its limits and where it begins, rad; its entry of the mass matrix's diagonal there, kg
 * m^2; its torque, as a share of ARM_TORQUE; its greatest speed, rad/s. Of the link that follows, as it is drawn: its
 * half width, m, and its joint (picture.h). */
#define ARM_ROBOT(J)                                                                                                   \
    J(1, (0.0f, 0.0f, 0.0f), (1.0f, 0.0f, 0.0f, 0.0f), 0.333f, -2.8973f, 2.8973f, 0.0f, 1.9702f, 1.0f, ARM_ANY, 0.06f, \
      ARM_ACROSS)                                                                                                      \
    J(2, (0.0f, 0.0f, 0.0f), (ARM_QUARTER, -ARM_QUARTER, 0.0f, 0.0f), 0.0f, -1.7628f, 1.7628f, 0.392699082f, 2.3390f,  \
      1.0f, ARM_ANY, 0.058f, ARM_SEAM)                                                                                 \
    J(3, (0.0f, 0.0f, 0.0f), (ARM_QUARTER, ARM_QUARTER, 0.0f, 0.0f), 0.316f, -2.8973f, 2.8973f, 0.0f, 1.4585f, 1.0f,   \
      ARM_ANY, 0.055f, ARM_ACROSS)                                                                                     \
    J(4, (0.0825f, 0.0f, 0.0f), (ARM_QUARTER, ARM_QUARTER, 0.0f, 0.0f), 0.0f, -3.0718f, -0.0698f, -1.96349541f,        \
      1.0343f, 1.0f, ARM_ANY, 0.05f, ARM_PLAIN)                                                                        \
    J(5, (-0.0825f, 0.0f, 0.0f), (ARM_QUARTER, -ARM_QUARTER, 0.0f, 0.0f), 0.384f, -2.8973f, 2.8973f, 0.0f, 0.0271f,    \
      1.0f, ARM_ANY, 0.045f, ARM_ACROSS)                                                                               \
    J(6, (0.0f, 0.0f, 0.0f), (ARM_QUARTER, ARM_QUARTER, 0.0f, 0.0f), 0.0f, -0.0175f, 3.7525f, 2.35619449f, 0.0545f,    \
      1.0f, ARM_ANY, 0.045f, ARM_PLAIN)                                                                                \
    J(7, (0.088f, 0.0f, 0.0f), (ARM_QUARTER, ARM_QUARTER, 0.0f, 0.0f), 0.0f, -2.8973f, 2.8973f, ARM_REST_7, 0.0067f,   \
      1.0f, ARM_ANY, 0.042f, ARM_SEAM)

/* The hand's frame in the last joint's: turned by an eighth. */
#define ARM_HAND_PLACE {0.0f, 0.0f, 0.107f}
#define ARM_HAND_TURN {0.92387953f, 0.0f, 0.0f, -0.38268343f}

/* The links, as struct ArmLink has them: kg, m in its joint's frame, and about its centre xx, xy, xz, yy, yz, zz. */
#define ARM_LINKS                                                                                                      \
    {4.970684f, {3.875e-3f, 2.081e-3f, -0.175f}, {0.70337f, -1.39e-4f, 6.772e-3f, 0.70661f, 1.9169e-2f, 9.117e-3f}},   \
        {0.646926f,                                                                                                    \
         {-3.141e-3f, -2.872e-2f, 3.495e-3f},                                                                          \
         {7.962e-3f, -3.925e-3f, 1.0254e-2f, 2.811e-2f, 7.04e-4f, 2.5995e-2f}},                                        \
        {3.228604f,                                                                                                    \
         {2.7518e-2f, 3.9252e-2f, -6.6502e-2f},                                                                        \
         {3.7242e-2f, -4.761e-3f, -1.1396e-2f, 3.6155e-2f, -1.2805e-2f, 1.083e-2f}},                                   \
        {3.587895f,                                                                                                    \
         {-5.317e-2f, 1.04419e-1f, 2.7454e-2f},                                                                        \
         {2.5853e-2f, 7.796e-3f, -1.332e-3f, 1.9552e-2f, 8.641e-3f, 2.8323e-2f}},                                      \
        {1.225946f,                                                                                                    \
         {-1.1953e-2f, 4.1065e-2f, -3.8437e-2f},                                                                       \
         {3.5549e-2f, -2.117e-3f, -4.037e-3f, 2.9474e-2f, 2.29e-4f, 8.627e-3f}},                                       \
        {1.666555f,                                                                                                    \
         {6.0149e-2f, -1.4117e-2f, -1.0517e-2f},                                                                       \
         {1.964e-3f, 1.09e-4f, -1.158e-3f, 4.354e-3f, 3.41e-4f, 5.433e-3f}},                                           \
        {1.495522f,                                                                                                    \
         {1.7208685e-3f, 1.3603502e-3f, 0.10091857f},                                                                  \
         {1.663295e-2f, 3.9489e-4f, -7.0558e-4f, 1.421034e-2f, -1.05022e-3f, 6.68546e-3f}},
#endif
