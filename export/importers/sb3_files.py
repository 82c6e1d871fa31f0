"""What a model.zip of Stable-Baselines3 or sb3-contrib is of, by its settings."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from minnow.export.errors import ExportError, first_line
from minnow.export.importers.files import present
from minnow.export.importers.imported import library

BASE, CONTRIB = "stable_baselines3", "sb3_contrib"
NAMED = {BASE: "sb3", CONTRIB: "sb3-contrib"}  # as --from has them

# Settings that only one class has, the first that fits; and of PPO's family the policy's class tells.
SETTINGS: tuple[tuple[frozenset[str], str, str], ...] = (
    (frozenset({"top_quantiles_to_drop_per_net"}), CONTRIB, "TQC"),
    (frozenset({"n_quantiles"}), CONTRIB, "QRDQN"),
    (frozenset({"cg_max_steps"}), CONTRIB, "TRPO"),
    (frozenset({"n_delta"}), CONTRIB, "ARS"),
    (frozenset({"policy_delay", "target_entropy"}), CONTRIB, "CrossQ"),
    (frozenset({"policy_delay", "target_policy_noise"}), BASE, "TD3"),
    (frozenset({"target_entropy"}), BASE, "SAC"),
    (frozenset({"exploration_fraction"}), BASE, "DQN"),
    (frozenset({"clip_range"}), BASE, "PPO"),
    (frozenset({"gae_lambda"}), BASE, "A2C"),
)
FAMILY = {"RecurrentActorCriticPolicy": "RecurrentPPO", "MaskableActorCriticPolicy": "MaskablePPO"}


def algorithm(path: Path, home: str, said: str | None) -> str:
    """The class of a model, of the package `home`. said: what --algorithm names. Raises ExportError."""
    if said is not None:
        if not hasattr(library(home, home), said):
            raise ExportError(f"{path}: {home} has no algorithm {said!r}; name one of its own with --algorithm.")
        settings(path)
        return said
    data = settings(path)
    found = next(((where, name) for keys, where, name in SETTINGS if keys <= set(data)), None)
    if found is None:
        raise ExportError(f"{path} does not show which algorithm it is of: name it with --algorithm.")
    where, name = found
    if name == "PPO":
        kinds = (FAMILY.get(kind.__name__) for kind in policy_class(path).__mro__)
        where, name = next(((CONTRIB, kind) for kind in kinds if kind), (where, name))
    if name == "TD3" and (data["policy_delay"], data.get("target_noise_clip")) == (1, 0.0):
        name = "DDPG"
    if where != home:
        raise ExportError(f"{path} is of {name}, which {where} has: read it with --from {NAMED[where]}.")
    return name


def settings(path: Path) -> dict[str, Any]:
    """The JSON in a model.zip. Nothing of it is unpickled."""
    try:
        return json.loads(text(path))
    except ValueError as error:
        raise ExportError(f"{path} was not written by model.save: {first_line(error)}.") from None


def text(path: Path) -> str:
    try:
        with zipfile.ZipFile(present(path)) as archive:
            return archive.read("data").decode()
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ExportError(f"{path} was not written by model.save: {first_line(error)}.") from None


def policy_class(path: Path) -> type:
    """The class of a trusted file's policy, which may be anybody's."""
    save_util = library("stable_baselines3.common.save_util", "stable-baselines3")
    try:
        return save_util.json_to_data(text(path))["policy_class"]
    except Exception as error:
        raise ExportError(
            f"{path} cannot be loaded: its policy's class is not found ({first_line(error)}); run where the module "
            "that defines it can be imported."
        ) from error
