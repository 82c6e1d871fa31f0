"""cinfer/compile.py: the cache, its atomicity, and the errors a person meets."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from minnow.cinfer import compile
from minnow.cinfer.errors import MinnowError


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINNOW_CACHE", str(tmp_path / "cache"))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "value.h").write_text("#define VALUE 7\n")
    path = tmp_path / "code" / "answer.c"
    path.write_text('#include "value.h"\nint answer(void) { return VALUE * FACTOR; }\n')
    return path


def answer(library: Path) -> int:
    return ctypes.CDLL(str(library)).answer()


def test_shared_is_cached_by_content(source: Path) -> None:
    first = compile.shared(source, defines={"FACTOR": 2})
    stamp = first.stat().st_mtime_ns
    assert answer(first) == 14
    assert compile.shared(source, defines={"FACTOR": 2}) == first and first.stat().st_mtime_ns == stamp
    assert answer(compile.shared(source, defines={"FACTOR": 3})) == 21
    source.with_name("value.h").write_text("#define VALUE 8\n")
    assert answer(compile.shared(source, defines={"FACTOR": 2})) == 16
    assert compile.shared(source, defines={"FACTOR": 2}, flags=["-O0"]) != compile.shared(source, defines={"FACTOR": 2})


def test_one_compiles_what_several_want_at_once(source: Path, tmp_path: Path) -> None:
    calls, slow = tmp_path / "calls", tmp_path / "slow"
    slow.write_text(f'#!/bin/sh\n[ "$1" = --version ] || {{ echo >>{calls}; sleep 0.5; }}\nexec gcc "$@"\n')
    slow.chmod(0o755)
    with ThreadPoolExecutor() as pool:
        built = list(pool.map(lambda _: compile.object(source, defines={"FACTOR": 2}, cc=str(slow)), range(3)))
    assert len(set(built)) == 1 and calls.read_text() == "\n"
    assert list(compile.cache().iterdir()) == [built[0]]  # no lock is left


def test_the_same_sources_elsewhere(source: Path, tmp_path: Path) -> None:
    """A copy of a folder has its results; a folder with the same names and other contents has not."""

    def built(folder: Path) -> Path:
        named = {"FACTOR": 2, "BESIDE": f'"{folder / "value.h"}"'}
        return compile.shared(folder / "answer.c", defines=named, include=[folder / "more"])

    folders = [source.parent, tmp_path / "copy", tmp_path / "swapped"]
    (source.parent / "more").mkdir()
    (source.parent / "more" / "value.h").write_text("#define VALUE 9\n")
    for folder in folders[1:]:
        shutil.copytree(source.parent, folder)
    first, second = (folders[2] / place for place in ("value.h", "more/value.h"))
    text = first.read_text()
    first.write_text(second.read_text())
    second.write_text(text)
    mine, copy, swapped = map(built, folders)
    assert mine == copy != swapped
    assert answer(mine) == 14 and answer(swapped) == 18


def test_program_and_object(source: Path, tmp_path: Path) -> None:
    main = tmp_path / "main.c"
    main.write_text("int answer(void);\nint main(void) { return answer(); }\n")
    built = compile.program([main, source], defines={"FACTOR": 3}, name="question")
    assert subprocess.run([built]).returncode == 21
    assert compile.object(source, defines={"FACTOR": 1}).suffix == ".o"


def test_nothing_half_written_stays(source: Path, tmp_path: Path) -> None:
    def work() -> None:
        results.append(compile.shared(source, defines={"FACTOR": 5}))

    results: list[Path] = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1 and answer(results[0]) == 35
    with pytest.raises(MinnowError):
        compile.shared(source)  # FACTOR is not defined
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [results[0].name]


def test_a_failing_compile_shows_its_output(source: Path) -> None:
    with pytest.raises(MinnowError, match=r"answer\.c.*FACTOR"):
        compile.shared(source)


def test_a_missing_compiler_says_what_to_install(source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(MinnowError, match="apt-get install gcc"):
        compile.shared(source)
    with pytest.raises(MinnowError, match="apt-get install clang"):
        compile.shared(source, cc="clang")
    with pytest.raises(MinnowError, match="apt-get install emscripten"):
        compile.wasm(source, exports=["answer"])


def test_faults_of_the_caller(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MinnowError, match="no such file"):
        compile.shared(source.with_name("nothing.c"))
    with pytest.raises(MinnowError, match="fast-math"):
        compile.shared(source, defines={"FACTOR": 1}, flags=["-ffast-math"])
    monkeypatch.setenv("MINNOW_CACHE", str(source / "below-a-file"))
    with pytest.raises(MinnowError, match="MINNOW_CACHE"):
        compile.shared(source, defines={"FACTOR": 1})


def test_a_cache_that_nothing_can_be_loaded_from(source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINNOW_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_flag=os.ST_NOEXEC | os.ST_NOSUID))
    for build in (compile.shared, compile.program):
        with pytest.raises(MinnowError, match=f"{tmp_path} is on a file system mounted noexec.*Set MINNOW_CACHE"):
            build(source)
    assert compile.object(source, defines={"FACTOR": 1}).exists()


def test_wasm_stands_alone(source: Path, tmp_path: Path) -> None:
    source.write_text(
        "#include <string.h>\nchar block[70000];\n"
        "void fill(int n, int m) { memset(block, n, (unsigned)m); memcpy(block + m, block, (unsigned)m); }\n"
    )
    module = compile.wasm(source, exports=["fill"], memory=1 << 20)
    assert module.read_bytes()[:4] == b"\0asm" and compile.wasm_imports(module.read_bytes()) == []
    script = tmp_path / "run.mjs"
    script.write_text(
        "import {readFileSync} from 'node:fs';\n"
        "const {instance} = await WebAssembly.instantiate(readFileSync(process.argv[2]));\n"
        "instance.exports.fill(3, 4);\nconsole.log(instance.exports.memory.buffer.byteLength);\n"
    )
    assert subprocess.run(["node", script, module], capture_output=True, text=True).stdout == "1048576\n"


def test_wasm_with_imports_is_refused(source: Path) -> None:
    source.write_text('#include <stdio.h>\nvoid say(void) { puts("hello"); }\n')
    with pytest.raises(MinnowError, match=r"imports .*fd_write"):
        compile.wasm(source, exports=["say"])
