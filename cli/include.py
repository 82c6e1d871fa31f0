"""`minnow include`: the folder of the C headers, for compilers and CMake."""

from __future__ import annotations

from minnow.cinfer.errors import MinnowError

SUMMARY = "print the folder of the C headers, for compilers"
USAGE = """usage: minnow include    print the folder of minnow.h, which runs policies, and of env.h, for games

cc -I"$(minnow include)" program.c"""


def main(argv: list[str]) -> int:
    if argv:
        if argv[0] not in ("-h", "--help"):
            raise MinnowError(f"minnow include takes nothing, got {argv[0]!r}.")
        print(USAGE)
        return 0
    from minnow.envs.find import OURS

    print(OURS)
    return 0
