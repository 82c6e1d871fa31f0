"""A policy file as a C array, to be compiled in beside minnow.h."""

from __future__ import annotations

import re

from minnow.export.errors import ExportError

WIDTH = 24  # bytes a line

TEXT = """/* {title}
 *
 * The bytes of a Minnow policy file ({size} bytes), for programs without a file system:
 *
 *     #define MINNOW_IMPLEMENTATION
 *     #include "minnow.h"
 *     #include "{file}"
 *
 *     size_t need = minnow_size({name}, {name}_size, &error);
 *     policy = minnow_load({name}, {name}_size, malloc(need), need, &error);
 *
 * Include it in one source file. The array is read in place and must outlive the policy.
 */
#ifndef MINNOW_POLICY_{upper}
#define MINNOW_POLICY_{upper}

#include <stddef.h>

#if defined(__cplusplus)
alignas(64)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Alignas(64)
#elif defined(__GNUC__)
__attribute__((aligned(64)))
#endif
static const unsigned char {name}[{size}] = {{
{rows}
}};

static const size_t {name}_size = sizeof {name};

#endif
"""


def header(policy: bytes, name: str, file: str, title: str = "") -> str:
    """The text of a C header (C99 and C++11), to be stored as `file`, that holds a policy file as the array `name`."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ExportError(f"{name!r} cannot be the name of a C array: use letters, digits and _, no digit first.")
    rows = (policy[i : i + WIDTH] for i in range(0, len(policy), WIDTH))
    return TEXT.format(
        title=(title or name).replace("*/", "* /").replace("\n", " "),
        size=len(policy),
        name=name,
        file=file,
        upper=name.upper(),
        rows="\n".join("    " + ",".join(map(str, row)) + "," for row in rows),
    )


def identifier(stem: str) -> str:
    """A C name for a file's stem: `pong` becomes `pong_policy`, `policy` stays."""
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    name = f"_{name}" if name[:1].isdigit() else name
    return name if name.endswith("policy") else f"{name}_policy"
