"""minnow.h in a host's own surroundings: words that platforms define as macros, and functions of the host's linkage."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from nets import NETS

ROOT = Path(__file__).resolve().parent.parent
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
COMPILERS = {
    "gcc": ("gcc", "-std=c99"),
    "clang": ("clang", "-std=c99"),
    "g++": ("g++", "-xc++", "-std=c++11"),
    "clang++": ("clang++", "-xc++", "-std=c++11"),
    "gcc plain": ("gcc", "-std=c99", "-DMINNOW_SCALAR"),
}
# A compiler of each language; the others run in the long form.
SHORT = ("gcc", "clang++")
BOTH = [*SHORT, *(pytest.param(name, marks=pytest.mark.full) for name in COMPILERS if name not in SHORT)]
# Of windows.h and rpcndr.h; of Arduino and AVR; of math.h, complex.h, termios.h and sys/types.h; of compilers; of X11,
# GLib, Qt and Apple; of those who write Pascal in C.
MACROS = """
small near far huge hyper byte boolean pascal cdecl min max interface IN OUT OPTIONAL CONST VOID BOOL TRUE FALSE ERROR
DELETE STRICT IGNORE INFINITE DIFFERENCE ABSOLUTE RELATIVE TRANSPARENT OPAQUE CALLBACK TEXT environ
bit word abs round radians degrees sq square constrain interrupts lowByte highByte bitRead B0 B1 B00000001 F PI HALF_PI
TWO_PI EULER HIGH LOW INPUT OUTPUT CHANGE FALLING RISING DEFAULT INTERNAL EXTERNAL SERIAL DISPLAY DEC HEX OCT BIN A0 A1
SS SCK MISO MOSI SP PORTA
I complex imaginary DOMAIN OVERFLOW UNDERFLOW SING HUGE tanh exp log sqrt floor fmod erf sin cos pow isnan isinf major
minor makedev ECHO CR1 unix linux i386 sun arm mips likely unlikely
None Bool Status True False Always Success Above Below Complex MIN MAX ABS CLAMP emit signals slots foreach check verify
require nil YES NO begin end swap clamp lerp cube SIZE STATE NAME VALUE
"""


def compiled(build: str, source: Path, *flags: str | Path) -> None:
    command = [*COMPILERS[build], *WARNINGS, f"-I{ROOT / 'cinfer'}", *flags, source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr[:3000]


@pytest.mark.parametrize("build", BOTH)
def test_macros_of_the_host_do_no_harm(build: str, tmp_path: Path) -> None:
    source = tmp_path / "host.c"
    words = "".join(f"#define {word} @ this is no expression @\n" for word in MACROS.split())
    headers = "#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n"
    source.write_text(f'{headers}{words}#define MINNOW_IMPLEMENTATION\n#include "minnow.h"\n')
    compiled(build, source, "-fsyntax-only")


@pytest.mark.parametrize("build", BOTH)
def test_functions_may_be_static(build: str, tmp_path: Path) -> None:
    """Without a warning, although the host calls a few of them only."""
    source, policy = tmp_path / "host.c", tmp_path / "policy.minnow"
    policy.write_bytes(NETS["odd"]())
    source.write_text(
        "#define MINNOW_API static\n#define MINNOW_ONLY_SSE2\n#define MINNOW_IMPLEMENTATION\n"
        '#include "minnow.h"\n#include <stdio.h>\n'
        "static unsigned char file[1 << 20], block[1 << 21];\n"
        "int main(int count, char **words) {\n    minnow_error error;\n"
        '    FILE *stream = count > 1 ? fopen(words[1], "rb") : NULL;\n'
        "    size_t size = stream ? fread(file, 1, sizeof file, stream) : 0;\n"
        "    return minnow_load(file, size, block, sizeof block, &error) ? 0 : 1;\n}\n"
    )
    program = tmp_path / "host"
    compiled(build, source, "-O1", "-o", program)
    assert subprocess.run([program, policy]).returncode == 0
    assert "minnow_" not in subprocess.run(["nm", "-g", program], capture_output=True, text=True).stdout
