"""Metrics to Weights & Biases or trackio as well, where `--track` asks for it. Neither is needed otherwise.

Both packages have the same functions. A run is ENV/FOLDER of the project `minnow`. Folders of two machines may have one
name, so a random id is drawn and kept in the run's folder; a resumed run goes on under it.
Where the numbers go is theirs to say: WANDB_MODE=offline keeps them in the run's folder, trackio keeps them on this
machine.
"""

from __future__ import annotations

import importlib
import importlib.util
import secrets
from pathlib import Path
from typing import Any, Literal

from minnow.cinfer.errors import MinnowError, missing
from minnow.cinfer.files import write_atomic
from minnow.train.config import Config

Kind = Literal["none", "wandb", "trackio"]
PROJECT = "minnow"


def check(kind: Kind) -> None:
    """Raises MinnowError where the package is not installed."""
    if kind != "none" and importlib.util.find_spec(kind) is None:
        raise missing(f"{kind}, which --track asks for,", "track")


def run_id(folder: Path) -> str:
    """The id of the run in a folder; drawn at the first call. Raises OSError where it cannot be kept."""
    file = folder / "track-id"
    if not file.exists():
        write_atomic(file, secrets.token_hex(8).encode())
    return file.read_text("utf-8")


class Tracker:
    """One run of `kind`. Raises MinnowError where the service cannot be reached or does not know who asks."""

    def __init__(self, kind: Kind, config: Config, folder: Path) -> None:
        check(kind)
        name, own = f"{config.name}/{folder.name}", run_id(folder)
        given: dict[str, Any] = {"project": PROJECT, "config": config.to_dict(), "resume": "allow"}
        if kind == "wandb":
            given |= {"name": name, "id": own, "dir": str(folder)}
        else:  # which tells runs by their names
            given |= {"name": f"{name}-{own}"}
        try:
            self.run = importlib.import_module(kind).init(**given)
        except Exception as error:
            first = str(error).strip().splitlines()[:1] or [type(error).__name__]
            way = "log in (wandb login), or set WANDB_MODE=offline" if kind == "wandb" else "train without --track"
            raise MinnowError(f"{kind} did not start: {first[0]} Try: {way}.") from error

    def log(self, metrics: dict[str, float]) -> None:
        self.run.log({name: number for name, number in metrics.items() if name != "steps"}, step=int(metrics["steps"]))

    def close(self) -> None:
        self.run.finish()
