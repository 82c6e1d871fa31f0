"""A study's journal: one file to which workers append lines, whatever becomes of one of them or of the file.

The lock is the kernel's (flock on the file itself), so a worker that is killed leaves none behind. A line that was not
written to its end is cut off by the next one who writes, and passed over by those who read, also where somebody has
written on behind it; so are blank lines and NULs, which a crash of the machine may leave. Where the file is not any
more what it was when it was read last (cut, deleted, replaced), what a worker knows of the study is void: it gets
`Changed`, and must join anew."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from optuna.storages.journal import BaseJournalBackend

from minnow.cinfer.errors import MinnowError

EMPTY = b"\0 \t\r\n"
BEGIN = b'{"op_code"'  # of a record, and of nothing within one: there quotes are escaped
TAIL = 256  # bytes of what was read that are compared before more is read or written


class Changed(MinnowError):
    """The journal has become another file since it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was cut, deleted or replaced while it was in use: try again.")


class Journal(BaseJournalBackend):
    """What Optuna's JournalStorage reads and writes. The file is made by the first `lock`."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self._number = self._offset = self._lines = 0  # of what was read: records, bytes, lines
        self._tail = b""
        self._held: BinaryIO | None = None

    @contextlib.contextmanager
    def lock(self) -> Iterator[BinaryIO]:
        """Nobody else writes within; it may be taken again by who has it. Raises MinnowError where the file system
        knows no locks."""
        if self._held is not None:
            yield self._held
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked() as file:
            self._held = file
            try:
                yield file
            finally:
                self._held = None

    def _locked(self) -> BinaryIO:
        while True:
            file = self.path.open("a+b")
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                file.close()
                raise MinnowError(
                    f"{self.path} cannot be locked ({error.strerror}): give a --storage on another file system, "
                    "or a server's."
                ) from None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(self.path.stat(), os.fstat(file.fileno())):
                    return file
            file.close()  # it was deleted or replaced meanwhile

    def mend(self) -> None:
        """Cuts off a last line that was not written to its end."""
        with self.lock() as file:
            end = size = file.seek(0, 2)
            while end:
                begin = max(0, end - 4096)
                file.seek(begin)
                found = file.read(end - begin).rfind(b"\n")
                if found >= 0:
                    end = begin + found + 1
                    break
                end = begin
            if end < size:
                file.truncate(end)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        if log_number_from != self._number:
            self._number = self._offset = self._lines = 0
            self._tail = b""
        with self._opened() as file:
            self._check(file)
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                self._lines += 1
                self._tail = (self._tail + line)[-TAIL:]
                text = line.strip(EMPTY)
                if not text:
                    continue
                try:
                    record = json.loads(text[max(text.rfind(BEGIN), 0) :])
                except ValueError:
                    raise MinnowError(
                        f"{self.path} is damaged in line {self._lines} ({text[:30]!r}): remove what does not belong "
                        "there, or choose another --study."
                    ) from None
                self._number += 1
                if self._number > log_number_from:
                    yield record

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs)
        with self.lock() as file:
            self._check(file)
            self.mend()
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if self._held is not None:
            yield self._held
            return
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            raise Changed(self.path) from None
        with file:
            yield file

    def _check(self, file: BinaryIO) -> None:
        file.seek(self._offset - len(self._tail))
        if file.read(len(self._tail)) != self._tail:
            raise Changed(self.path)
