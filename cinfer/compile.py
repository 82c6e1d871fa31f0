"""The one driver of `cc` and `emcc`: C sources in, a shared library, program, object or WebAssembly module out.

Results are cached in `$MINNOW_CACHE` (default `~/.cache/minnow`) by a hash of all that they depend on, wherever that
lies, and appear there whole or not at all; what several processes want at once, one of them builds. Arithmetic is the
same everywhere: products and sums are never fused, fast-math is refused.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from minnow.cinfer.errors import MinnowError

HERE = Path(__file__).resolve().parent
EXACT = ["-O3", "-std=c11", "-ffp-contract=off", "-fno-math-errno"]
PACKAGES = {"cc": "gcc", "gcc": "gcc", "clang": "clang", "emcc": "emscripten"}  # what Debian calls them
NODE_MODULES = "/usr/share/nodejs"  # where Debian keeps acorn, which emcc's link step wants

Sources = Path | str | Sequence[Path | str]
Defines = Mapping[str, str | int | float | None]


def cache() -> Path:
    """The folder that holds results; made if absent."""
    folder = Path(os.environ.get("MINNOW_CACHE") or Path.home() / ".cache" / "minnow")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MinnowError(f"cannot make the cache {folder}: {error.strerror}; set MINNOW_CACHE to a folder.") from error
    return folder


def _executable(folder: Path) -> None:
    """Raises MinnowError where what a folder holds can be neither loaded nor run."""
    if hasattr(os, "ST_NOEXEC") and os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise MinnowError(
            f"the cache {folder} is on a file system mounted noexec: what is compiled there cannot be loaded. "
            "Set MINNOW_CACHE to a folder on another one."
        )


def compiler(cc: str | None = None) -> str:
    """The C compiler to use: `cc`, else `$CC`, else gcc, clang or cc, whichever is found first."""
    wanted = [cc or os.environ.get("CC") or ""]
    names = wanted if wanted[0] else ["gcc", "clang", "cc"]
    for name in names:
        if shutil.which(name.split()[0]):
            return name
    package = PACKAGES.get(Path(names[0]).name, names[0])
    raise MinnowError(
        f"no C compiler: {' or '.join(names)} was not found. "
        f"Install one: apt-get install {package} (as root), or set CC."
    )


def shared(
    sources: Sources,
    *,
    defines: Defines | None = None,
    include: Iterable[Path | str] = (),
    flags: Iterable[str] = (),
    cc: str | None = None,
    name: str | None = None,
) -> Path:
    """A shared library for this machine. `flags` come after the standard ones, so they may override them."""
    return _native("shared", sources, defines, include, [*_tuned(cc), "-fPIC", "-shared", *flags], cc, name, ".so")


def program(
    sources: Sources,
    *,
    defines: Defines | None = None,
    include: Iterable[Path | str] = (),
    flags: Iterable[str] = (),
    cc: str | None = None,
    name: str | None = None,
) -> Path:
    """An executable for this machine."""
    return _native("program", sources, defines, include, [*_tuned(cc), *flags], cc, name, "")


def object(
    sources: Sources,
    *,
    defines: Defines | None = None,
    include: Iterable[Path | str] = (),
    flags: Iterable[str] = (),
    cc: str | None = None,
    name: str | None = None,
) -> Path:
    """An object file of one source."""
    return _native("object", sources, defines, include, ["-c", *_tuned(cc), *flags], cc, name, ".o")


def wasm(
    sources: Sources,
    *,
    exports: Iterable[str],
    defines: Defines | None = None,
    include: Iterable[Path | str] = (),
    flags: Iterable[str] = (),
    memory: int = 1 << 20,
    grow: bool = False,
    stack: int = 1 << 16,
    simd: bool = True,
    name: str | None = None,
) -> Path:
    """A WebAssembly module without entry, imports or glue; it exports `memory` and the functions named.

    memory, stack: bytes; memory is rounded up to pages of 64 KiB. grow: whether memory may grow. Raises MinnowError if
    the code needs anything from outside."""
    emcc = shutil.which("emcc")
    if not emcc:
        raise MinnowError("emcc was not found. Install it: apt-get install emscripten (as root).")
    exports = list(exports)
    options = [
        *EXACT,
        *(["-msimd128", "-mbulk-memory"] if simd else []),  # engines with the one have the other
        "-sSTANDALONE_WASM=1",
        "--no-entry",
        "-sFILESYSTEM=0",
        f"-sEXPORTED_FUNCTIONS={','.join('_' + export for export in exports)}",
        f"-sINITIAL_MEMORY={-(-memory // 65536) * 65536}",
        f"-sALLOW_MEMORY_GROWTH={int(grow)}",
        f"-sTOTAL_STACK={stack}",
        *flags,
    ]
    built = _build("wasm", [emcc], sources, defines, include, options, name, ".wasm")
    needs = wasm_imports(built.read_bytes())
    if needs:
        built.unlink()
        raise MinnowError(f"{built.name} must stand alone, but it imports {', '.join(needs)}: remove what calls them.")
    return built


def wasm_imports(module: bytes) -> list[str]:
    """The imports of a WebAssembly module as `module.name`."""
    for kind, body in _wasm_sections(module):
        if kind == 2:
            names, at = [], 0
            count, at = _leb(body, at)
            for _ in range(count):
                parts = []
                for _ in range(2):
                    length, at = _leb(body, at)
                    parts.append(body[at : at + length].decode())
                    at += length
                names.append(".".join(parts))
                tag, at = _leb(body, at)
                if tag == 0:  # a function: its type
                    _, at = _leb(body, at)
                else:  # a table (1), memory (2) or global (3)
                    at += tag == 1
                    if tag == 3:
                        at += 2
                    else:
                        limits, at = _leb(body, at)
                        for _ in range(1 + (limits & 1)):
                            _, at = _leb(body, at)
            return names
    return []


def _wasm_sections(module: bytes) -> Iterable[tuple[int, bytes]]:
    at = 8
    while at < len(module):
        length, start = _leb(module, at + 1)
        yield module[at], module[start : start + length]
        at = start + length


def _leb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _native(
    kind: str,
    sources: Sources,
    defines: Defines | None,
    include: Iterable[Path | str],
    options: list[str],
    cc: str | None,
    name: str | None,
    suffix: str,
) -> Path:
    if kind != "object":
        _executable(cache())
    return _build(kind, compiler(cc).split(), sources, defines, include, [*EXACT, *options], name, suffix)


def _tuned(cc: str | None) -> list[str]:
    if "-linux-" in (cc or ""):  # a cross compiler
        return []
    return ["-march=native"] if platform.machine() in ("x86_64", "AMD64") else ["-mcpu=native"]


def _build(
    kind: str,
    command: list[str],
    sources: Sources,
    defines: Defines | None,
    include: Iterable[Path | str],
    options: list[str],
    name: str | None,
    suffix: str,
) -> Path:
    paths = [Path(source).resolve() for source in ([sources] if isinstance(sources, Path | str) else sources)]
    folders = [Path(folder).resolve() for folder in include]
    for path in paths:
        if not path.is_file():
            raise MinnowError(f"cannot compile {path}: there is no such file.")
    if any(flag in ("-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffp-contract=fast") for flag in options):
        raise MinnowError("fast-math would change results from machine to machine: remove it from the flags.")
    values = [f"-D{key}" if value is None else f"-D{key}={value}" for key, value in (defines or {}).items()]
    arguments = [*options, *values, *(f"-I{folder}" for folder in folders)]

    digest = hashlib.sha256()
    files = depends(paths, folders, values)
    places = _places(files, [*folders, *(path.parent for path in paths), HERE])
    for path, place in places.items():
        values = [value.replace(f'"{path}"', f'"{place}"') for value in values]
    for text in (kind, *command, version(command[0]), *options, *values, _processor()):
        digest.update(text.encode() + b"\0")
    for path, place in places.items():
        digest.update(place.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    folder = cache()
    target = folder / f"{name or paths[0].stem}-{digest.hexdigest()[:20]}{suffix}"
    if target.exists():
        return target

    try:
        with _alone(target), tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as scratch:
            if target.exists():  # another process was building it
                return target
            made = Path(scratch) / (target.stem.replace("-", "_") + (suffix or ".out"))
            # Libraries and the like come after the sources that need them.
            late = [flag for flag in arguments if flag.startswith("-l")]
            early = [flag for flag in arguments if not flag.startswith("-l")]
            _run([*command, *early, *map(str, paths), "-o", str(made), *late], scratch)
            made.replace(target)
    except OSError as error:
        raise MinnowError(f"cannot write {target}: {error.strerror}. Make room, or set MINNOW_CACHE.") from error
    return target


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """One process at a time builds a target. The lock is the kernel's, so one that is killed leaves none behind."""
    path = target.with_name(f".lock-{target.name}")
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # who waits for it, or makes it anew, finds the target


def _places(files: Iterable[Path], roots: Sequence[Path]) -> dict[Path, str]:
    """Where files lie below the first of the roots that holds them, so that a result does not depend on where the roots
    are: an installed package has the same results as the checkout."""
    found = {}
    for path in files:
        i = next((i for i, root in enumerate(roots) if path.is_relative_to(root)), None)
        found[path] = str(path) if i is None else f"{i}:{path.relative_to(roots[i]).as_posix()}"
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _run(command: list[str], folder: str) -> None:
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": folder}
    if Path(command[0]).name == "emcc" and Path(NODE_MODULES).is_dir():
        environment["NODE_PATH"] = NODE_MODULES
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    if done.returncode:
        output = (done.stderr + done.stdout).strip()
        raise MinnowError(f"{command[0]} failed ({done.returncode}): {' '.join(command)}\n{output}")


@functools.cache
def version(command: str) -> str:
    """The first line in which a compiler names itself."""
    done = subprocess.run([command, "--version"], capture_output=True, text=True)
    return (done.stdout or done.stderr).partition("\n")[0]


@functools.cache
def _processor() -> str:
    """What -march=native stands for: a cache may be shared by machines that differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {platform.processor()} {flags}"


def depends(
    sources: Iterable[Path], include: Iterable[Path], values: Iterable[str] = (), search: Iterable[Path] = ()
) -> list[Path]:
    """All files that a result may depend on: the sources, what they include by `#include "..."`, files named in
    defines, and every header beneath the include folders. search: folders of which only what is included counts."""
    folders = list(include)
    found: set[Path] = set()
    waiting = list(sources)
    for folder in folders:
        waiting += sorted(folder.rglob("*.h"))
    folders += search
    named = [match for value in values for match in re.findall(r'"([^"]+)"', value)]
    waiting += [path for name in named for folder in [Path.cwd(), *folders] if (path := folder / name).is_file()]
    while waiting:
        path = waiting.pop().resolve()
        if path in found:
            continue
        found.add(path)
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(errors="replace"), re.MULTILINE):
            near = next((each for folder in [path.parent, *folders] if (each := folder / name).is_file()), None)
            if near:
                waiting.append(near)
    return sorted(found)
