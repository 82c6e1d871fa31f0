"""The policies that games come with, and the games of policies."""

from __future__ import annotations

from pathlib import Path

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.train import config as configs

POLICIES = Path(__file__).resolve().parent / "policies"  # of our own games


def policy(env: str | Path, ours: Path = POLICIES) -> Path | None:
    """The policy that a game comes with: policy.minnow in its folder, or that in `ours` for one of our own; None where
    there is none."""
    place = envs.folder(env)
    file = place / "policy.minnow" if envs.remember(place) else ours / f"{place.name}.minnow"
    return file if file.is_file() else None


def run_place(file: Path) -> envs.Place | None:
    """The folder of the environment of the run that a file lies in; None where it lies in none. Raises MinnowError
    where the environment is not found."""
    record = file.parent / "config.toml"
    if not record.is_file():
        return None
    return configs.placed(
        configs.from_dict(configs.parse(record.read_text("utf-8"), str(record)), str(record)), file
    ).place


def place(name: str, file: Path) -> envs.Place:
    """Where the environment `name` that a policy file plays comes from: that of its run, the one that the file lies in,
    or the one that the name finds. Raises MinnowError where there is none."""
    found = run_place(file)
    if found is not None and found.name == name:
        return found
    home = file.resolve().parent
    if home.name == name and (home / f"{name}.c").is_file():
        return home
    try:
        return envs.place(name)
    except MinnowError as error:
        raise MinnowError(f"{file} says that it plays {name!r}: {error}") from None
