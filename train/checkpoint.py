"""Checkpoints: one safetensors file each, whose header holds the rest as JSON. No pickle is written or read.

A file appears under its name only when all of it is on the disk, so that a crash, a kill or a full disk leaves the last
good checkpoint as it was.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.files import write_atomic
from minnow.train import config as configs
from minnow.train import observation, records, space
from minnow.train.policy import Policy

FORMAT = 1


def save(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Raises OSError where the disk is full or not writable."""
    tensors = {name: leaf.detach().cpu().contiguous() for name, leaf in tensors.items()}
    write_atomic(path, to_bytes(tensors, metadata={"minnow": json.dumps({"format": FORMAT} | meta)}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the rest. Raises MinnowError where the file is missing, damaged or no checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("minnow")
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise MinnowError(f"cannot read the checkpoint {path}: {error.strerror or error}.") from None
    except SafetensorError as error:
        raise MinnowError(
            f"{path} is damaged, or is not a checkpoint: {error}. Try an earlier one beside it."
        ) from None
    if text is None:
        raise MinnowError(f"{path} is a safetensors file but not a checkpoint of Minnow: its header lacks the entry.")
    meta = json.loads(text)
    if meta.get("format") != FORMAT:
        raise MinnowError(
            f"{path} has checkpoint format {meta.get('format')}; this version reads {FORMAT}: train again."
        )
    return tensors, meta


def all_of(run: Path) -> list[Path]:
    """A run's checkpoints, oldest first."""
    return sorted((run / "checkpoints").glob("*.safetensors"))


def find(path: Path) -> Path:
    """The checkpoint that `path` means: itself, or the newest of a run. Raises MinnowError where there is none."""
    path = Path(path)
    if path.is_file():
        return path
    found = all_of(path)
    if found:
        return found[-1]
    if (path / "checkpoints").is_dir():
        raise MinnowError(f"{path} has no checkpoint: it ended before its first one. Train again, into another folder.")
    runs = sorted(path.glob("**/checkpoints"))[-3:] if path.is_dir() else []
    hint = f" Did you mean {' or '.join(str(item.parent) for item in runs)}?" if runs else ""
    what = "has no checkpoints" if path.is_dir() else "does not exist"
    raise MinnowError(f"{path} {what}: name a run's folder (runs/<env>/<id>) or a checkpoint in it.{hint}")


def kept(path: Path) -> Path:
    """The checkpoint whose policy stands for `path`: itself; of a run the one that was kept as its best when it ended,
    or else the newest. Raises MinnowError where there is none."""
    path, file = Path(path), find(path)
    if path.is_file():
        return file
    result = records.result(path)
    best = file.with_name(f"{int(result['kept']):012d}.safetensors") if "kept" in result else file
    return best if result.get("steps") == int(file.stem) and best.exists() else file


def begin(policy: Policy, file: Path) -> None:
    """Gives a network the weights of a checkpoint. Raises MinnowError, with each that does not fit, unless all do."""
    tensors, _ = read(file)
    given = {name.removeprefix("policy."): leaf for name, leaf in tensors.items() if name.startswith("policy.")}
    own = policy.state_dict()
    shapes = {name: [list(item[name].shape) if name in item else None for item in (given, own)] for name in given | own}
    wrong = [
        f"{name} is {found or 'missing'} there and {wanted or 'missing'} here"
        for name, (found, wanted) in shapes.items()
        if found != wanted
    ]
    if wrong:
        raise MinnowError(
            f"the weights of {file} do not fit this network: {'; '.join(wrong)}. Leave out the --policy settings that "
            "differ, or train without --from."
        )
    policy.load_state_dict(given)


def check(policy: Policy, tensors: dict[str, Tensor], file: Path) -> None:
    """Raises MinnowError unless a checkpoint's tensors are those of this network."""
    wanted = {f"policy.{name}": list(leaf.shape) for name, leaf in policy.state_dict().items()}
    found = {name: list(leaf.shape) for name, leaf in tensors.items() if name.startswith("policy.")}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise MinnowError(
                f"{file} is a checkpoint of another network: {name} is {found.get(name, 'missing')}, its settings "
                f"want {wanted.get(name, 'none')}. Take an earlier one beside it, or train again."
            )


def place(meta: dict[str, Any]) -> envs.Place:
    """Where the environment of a checkpoint that `load` has read comes from. Raises MinnowError where it is not
    found."""
    file = meta["checkpoint"]
    return configs.placed(configs.from_dict(meta["config"], file), Path(file)).place


def load(path: Path | str) -> tuple[Policy, dict[str, Any]]:
    """The policy of a run (as `kept` has it) or of a checkpoint, in evaluation mode, and where it comes from:
    env, source_hash, steps, seed, command, config, groups, and once the run has been evaluated score, score_ci95,
    episodes."""
    file = kept(Path(path))
    tensors, meta = read(file)
    config = configs.from_dict(meta["config"], str(file))
    # Before version 0.2 an observation was one array.
    seen = observation.from_dict(meta["groups"]) if "groups" in meta else meta["obs_shape"]
    policy = Policy(config.policy, seen, space.from_dict(meta["space"]))
    check(policy, tensors, file)
    policy.load_state_dict({name: tensors[f"policy.{name}"] for name in policy.state_dict()})
    policy.eval().requires_grad_(False)
    meta |= {"env": config.name, "seed": config.seed, "checkpoint": str(file)}
    result = records.result(file.parent.parent)
    if result.get("kept", result.get("steps")) == meta["steps"] and "score_mean" in result:
        meta["score"] = result["score_mean"]
        meta |= {key: result[key] for key in ("score_ci95", "episodes") if key in result}
    return policy, meta
