"""Where environments lie.

An environment is a folder NAME that holds NAME.c, wherever it lies. It is named by its path (`./orchard`), or by its
name alone where it lies in ./envs, in one of the folders of $MINNOW_ENVS, or among our own. What is not in C lies in no
folder; its name says where it comes from (foreign/reference.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from minnow.cinfer.errors import MinnowError, unknown

from .foreign.reference import Foreign, reference

Place = Path | Foreign  # of an environment
OURS = Path(__file__).resolve().parent
VARIABLE = "MINNOW_ENVS"


def is_env(folder: Path) -> bool:
    """Whether an environment lies there."""
    return (folder / f"{folder.name}.c").is_file()


def shelves() -> list[Path]:
    """The folders in which names are looked up, without repetition: ./envs, those of $MINNOW_ENVS, ours."""
    listed = [Path(word).expanduser() for word in os.environ.get(VARIABLE, "").split(os.pathsep) if word]
    return list(dict.fromkeys(path.resolve() for path in (Path("envs"), *listed, OURS)))


def folders() -> list[Path]:
    """Every environment that its name finds. An entry of $MINNOW_ENVS may be an environment itself."""
    found = []
    for shelf in shelves():
        found += [shelf] if is_env(shelf) else sorted(path.parent for path in shelf.glob("*/*.c"))
    return [path for path in dict.fromkeys(found) if is_env(path)]


def names() -> list[str]:
    """The names of `folders`."""
    return sorted({path.name for path in folders()})


def place(env: str | Place) -> Place:
    """Where an environment comes from: what `folder` says, or where it is not in C, its name. Raises MinnowError where
    there is none."""
    return reference(env) or folder(env)


def settings(place: Place) -> Path:
    """The file of an environment's own settings, which may not be there: train.toml of its folder; of a foreign one in
    a folder of its name, on the first shelf that has it, of which ours is the last, or else on ./envs."""
    if isinstance(place, Path):
        return place / "train.toml"
    files = [shelf / place.shelf / "train.toml" for shelf in (*shelves(), OURS / "foreign")]
    return next((file for file in files if file.is_file()), files[0])


def written(place: Place) -> Path:
    """The file that new settings go into: that of `settings`; where that is ours, of a foreign environment, one in
    ./envs, which comes first from then on."""
    file = settings(place)
    if isinstance(place, Foreign) and file.is_relative_to(OURS / "foreign"):
        return shelves()[0] / place.shelf / "train.toml"
    return file


def folder(env: str | Place) -> Path:
    """The folder of an environment, absolute. Raises MinnowError where there is none, or where a name finds several.

    env: its name; or a path, which is a Path, holds a separator or begins with a dot: the folder, or the C file in it.
    """
    if isinstance(env, Foreign) or (isinstance(env, str) and reference(env)):
        raise MinnowError(
            f"{env} is not an environment in C, and this needs one: it can be trained, resumed, scored, recorded, "
            "swept, exported and verified (docs/foreign.md). A page or a window plays environments in C alone; "
            f"minnow record {env} --policy FILE.minnow -o FILM.gif films one that draws itself."
        )
    path = Path(env).expanduser()
    if isinstance(env, Path) or os.sep in env or env.startswith("."):
        return _at(path)
    found = [path for path in folders() if path.name == env]
    if not found:
        near = f" There is one at ./{env}, which is how to name it." if is_env(path.absolute()) else ""
        raise MinnowError(f"{unknown('environment', env, names())}{near}")
    if len({_contents(path) for path in found}) > 1:
        told = " and ".join(map(str, found))
        raise MinnowError(f"several environments are called {env}: {told}. Name the one you mean by its path.")
    return found[0]


def ours(name: str) -> Path:
    """The folder of one of our own environments, whatever else has its name."""
    if not is_env(OURS / name):
        raise unknown("environment of Minnow", name, [path.name for path in folders() if path.parent == OURS])
    return OURS / name


def _at(path: Path) -> Path:
    for place in (path.resolve(), path.absolute()):  # the latter: of a link that has the name
        if place.suffix == ".c" and place.stem == place.parent.name:
            place = place.parent
        if is_env(place):
            break
    else:
        place = path.resolve()
    if not place.exists():
        raise MinnowError(f"{path} does not exist. An environment is a folder NAME that holds NAME.c: see minnow new.")
    if not is_env(place):
        raise MinnowError(f"{path} is not an environment, a folder NAME that holds NAME.c: it has no {place.name}.c.")
    if set('"\\\n') & set(str(place)):
        raise MinnowError(f"{place}: compilers do not take quotes, backslashes or line breaks in a path: move it.")
    return place


def _contents(folder: Path) -> bytes:
    """What makes two copies the same environment."""
    settings = folder / "train.toml"
    return (folder / f"{folder.name}.c").read_bytes() + (settings.read_bytes() if settings.is_file() else b"")


def remember(place: Place) -> str:
    """What a run notes of where its environment lay: its path, or nothing where its name says it, as of ours, which
    every installation has."""
    return "" if isinstance(place, Foreign) or place.parent == OURS else str(place)


def recall(name: str, path: str, near: Path) -> Place:
    """Where an environment comes from, by what `remember` said. Where it is there no more, one of its name beside or
    above `near`, a file or folder of the run, or one that the name finds. Raises MinnowError where there is none."""
    if (foreign := reference(name)) is not None:
        return foreign
    place = Path(path) if path else OURS / name
    if is_env(place):
        return place
    above = [near.resolve(), *near.resolve().parents]
    moved = [each for parent in above for each in (parent / name, parent / "envs" / name) if is_env(each)]
    if moved:
        return moved[0]
    if name in names():
        return folder(name)
    raise MinnowError(
        f"{near} belongs to the environment {name} in {place.parent}, which is not there any more. If it has moved, "
        f"set {VARIABLE} to the folder that it lies in now: {VARIABLE}=FOLDER minnow ..."
    )
