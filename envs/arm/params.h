/* params.h: what every task of the arm declares, and the parameters that they share. Include first: ENV_PARAMS takes
 * ARM_PARAMS(P) in. */
#ifndef MINNOW_ENV_ARM_PARAMS_H
#define MINNOW_ENV_ARM_PARAMS_H
#include "panda.h" /* unless another robot's header came first */
#ifndef ENV_LANES
#define ENV_LANES 8 /* of 16 some contact is always near */
#endif
#define ENV_CONTINUOUS
#define ENV_SLOTS 1
#define ENV_HEADS (ARM_JOINTS + 1)
#define ARM_SEEN (2 * ARM_JOINTS + 4) /* numbers that observations begin with: ARM_FIELDS */

#define ARM_PARAMS(P)                                                                                                  \
    P(stiffness, ARM_STIFFNESS, ARM_STIFFNESS / 10.0f, 4.0f * ARM_STIFFNESS, ENV_PHYSICS, ENV_LOG, "N m/rad",          \
      "Drives: torque for each radian to go.")                                                                         \
    P(damping, ARM_DAMPING, ARM_DAMPING / 5.0f, 4.0f * ARM_DAMPING, ENV_PHYSICS, ENV_LOG, "N m s/rad",                 \
      "Drives: torque against speed.")                                                                                 \
    P(torque, ARM_TORQUE, ARM_TORQUE / 5.0f, 4.0f * ARM_TORQUE, ENV_PHYSICS, ENV_LOG, "N m",                           \
      "Drives: the most torque of the strongest joint.")                                                               \
    P(link_mass, 1.0f, 0.3f, 3.0f, ENV_PHYSICS, ENV_LOG, "", "Mass and inertia of the links, times the robot's.")      \
    P(joint_friction, 0.0f, 0.0f, 10.0f, ENV_PHYSICS, ENV_LINEAR, "N m", "Dry friction in each joint.")                \
    P(grip, 1000.0f, 100.0f, 4000.0f, ENV_PHYSICS, ENV_LOG, "N/m", "Gripper: a finger's force for each metre to go.")  \
    P(grip_damping, 100.0f, 20.0f, 400.0f, ENV_PHYSICS, ENV_LOG, "N s/m", "Gripper: a finger's force against speed.")  \
    P(grip_force, 100.0f, 5.0f, 200.0f, ENV_PHYSICS, ENV_LOG, "N", "Gripper: the most force of a finger.")             \
    P(grip_speed, 0.6f, 0.05f, 2.0f, ENV_PHYSICS, ENV_LOG, "m/s", "Gripper: a finger's greatest speed.")               \
    P(reach, 0.1f, 0.02f, 0.3f, ENV_PHYSICS, ENV_LOG, "rad", "A joint's target is at most this far from where it is.") \
    P(action_scale, 1.0f, 0.5f, 2.0f, ENV_PHYSICS, ENV_LOG, "", "Targets are so many times as far as asked for.")      \
    P(action_noise, 0.0f, 0.0f, 0.5f, ENV_PHYSICS, ENV_LINEAR, "",                                                     \
      "Deviation of what is added to each joint's action.")                                                            \
    P(delay, 0.0f, 0.0f, 1.0f, ENV_PHYSICS, ENV_LINEAR, "", "Share of a step in which the target is still the last.")  \
    P(rate, 20.0f, 5.0f, 50.0f, ENV_PHYSICS, ENV_LOG, "Hz", "Actions a second.")                                       \
    P(jitter, 0.0f, 0.0f, 0.5f, ENV_PHYSICS, ENV_LINEAR, "", "Share by which a step may be longer or shorter.")        \
    P(scrape, 0.0f, 0.0f, 1.0f, ENV_PHYSICS, ENV_LINEAR, "", "Share of their motion that pressed fingertips lose.")    \
    P(ring, 0.0f, -2.0f, 2.0f, ENV_PHYSICS, ENV_LINEAR, "m/s", "So much faster seem fingers that something presses.")  \
    P(start_spread, 0.02f, 0.0f, 0.2f, ENV_PHYSICS, ENV_LINEAR, "rad", "Deviation of the joints' first positions.")    \
    P(margin, 0.0f, 0.0f, 0.3f, ENV_PHYSICS, ENV_LINEAR, "rad", "Joints stop so far before their limits.")             \
    P(base_x, 0.0f, -0.05f, 0.05f, ENV_PHYSICS, ENV_LINEAR, "m", "The base stands so far ahead of its place.")         \
    P(base_y, 0.0f, -0.05f, 0.05f, ENV_PHYSICS, ENV_LINEAR, "m", "The base stands so far to the left.")                \
    P(base_turn, 0.0f, -0.1f, 0.1f, ENV_PHYSICS, ENV_LINEAR, "rad", "The base is turned so far to the left.")          \
    P(table, 0.0f, -0.05f, 0.05f, ENV_PHYSICS, ENV_LINEAR, "m", "Height of the table.")                                \
    P(noise, 0.0f, 0.0f, 0.05f, ENV_PHYSICS, ENV_LINEAR, "", "Deviation of what is added to each number observed.")    \
    P(bias, 0.0f, 0.0f, 0.05f, ENV_PHYSICS, ENV_LINEAR, "", "Deviation of what an episode adds to each number.")       \
    P(dropout, 0.0f, 0.0f, 0.2f, ENV_PHYSICS, ENV_LINEAR, "", "Share of the numbers observed that read 0.")            \
    P(sag, 0.0f, -0.3f, 0.3f, ENV_PHYSICS, ENV_LINEAR, "", "Share of the arm's weight that its drives must carry.")    \
    P(substeps, 5.0f, 1.0f, 20.0f, ENV_FIDELITY, ENV_INTEGER, "", "Parts in which a step is reckoned.")                \
    P(level, 0.0f, 0.0f, 2.0f, ENV_FIDELITY, ENV_INTEGER, "", "Joints: 0 each alone, 1 coupled, 2 full dynamics.")

/* And those of a cube that it handles. */
#define CUBE_PARAMS(P)                                                                                                 \
    P(cube_size, 0.02f, 0.012f, 0.035f, ENV_PHYSICS, ENV_LOG, "m", "Half the length of the cube's edges.")             \
    P(cube_mass, 0.064f, 0.01f, 0.5f, ENV_PHYSICS, ENV_LOG, "kg", "Mass of the cube.")                                 \
    CENTRE_PARAMS(P)                                                                                                   \
    P(cube_friction, 0.3f, 0.05f, 2.0f, ENV_PHYSICS, ENV_LOG, "", "Of the cube; two surfaces have their mean.")        \
    CONTACT_PARAMS(P)

/* Of a body whose mass need not lie around its middle. */
#define CENTRE_PARAMS(P)                                                                                               \
    P(centre_x, 0.0f, -0.5f, 0.5f, ENV_PHYSICS, ENV_LINEAR, "", "Its centre of mass off its middle, in half widths.")  \
    P(centre_y, 0.0f, -0.5f, 0.5f, ENV_PHYSICS, ENV_LINEAR, "", "Its centre of mass off its middle, in half widths.")  \
    P(centre_z, 0.0f, -0.5f, 0.5f, ENV_PHYSICS, ENV_LINEAR, "", "Its centre of mass off its middle, in half widths.")

/* Of what touches. */
#ifndef CONTACT_CREEP
#define CONTACT_CREEP 0.01f
#endif
#define CONTACT_PARAMS(P)                                                                                              \
    P(finger_friction, 2.0f, 0.2f, 4.0f, ENV_PHYSICS, ENV_LOG, "", "Of the fingers.")                                  \
    P(table_friction, 0.3f, 0.05f, 2.0f, ENV_PHYSICS, ENV_LOG, "", "Of the table.")                                    \
    P(restitution, 0.0f, 0.0f, 0.8f, ENV_PHYSICS, ENV_LINEAR, "", "Share of speed that the cube keeps in a bounce.")   \
    P(gravity, 9.81f, 1.0f, 20.0f, ENV_PHYSICS, ENV_LOG, "m/s^2", "Pull on the cube.")                                 \
    P(push_rate, 0.0f, 0.0f, 2.0f, ENV_PHYSICS, ENV_LINEAR, "1/s", "How often something pushes the cube.")             \
    P(push, 0.2f, 0.02f, 2.0f, ENV_PHYSICS, ENV_LOG, "m/s", "And how much speed a push gives it.")                     \
    P(hardness, 3e4f, 3e3f, 3e5f, ENV_FIDELITY, ENV_LOG, "N/m", "Contacts: force for each metre that bodies overlap.") \
    P(creep, CONTACT_CREEP, 0.001f, 0.1f, ENV_FIDELITY, ENV_LOG, "m/s",                                                \
      "Contacts: below this speed friction is viscous.")

/* And those that every task ends with. */
#define TASK_PARAMS(P)                                                                                                 \
    P(raw, 0.0f, 0.0f, 1.0f, ENV_REWARD, ENV_LINEAR, "", "What a step pays of the potential itself, to compare.")      \
    P(limit, 50.0f, 10.0f, 1000.0f, ENV_WORLD, ENV_INTEGER, "", "Steps after which the episode is cut off.")           \
    P(skill, 1.0f, 0.0f, 1.0f, ENV_WORLD, ENV_LINEAR, "", "Skill of the scripted player: how rarely it dozes.")
#endif
