"""Policies of other libraries: `load(name, path, ...)` gives what `minnow.export.export` takes.

One file an importer, with `Options`, a dataclass of its settings, and `load(path, **options)`, which returns an
`Imported`. A library is imported only by its own importer.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from minnow.cinfer.errors import unknown


@dataclass(frozen=True)
class Library:
    """What is read of a library. module: of this package. say: what its files do not show and options must say;
    held: what every import is compared with; example: options of a usual command."""

    module: str
    title: str
    reads: str
    say: str
    held: str
    example: str


PREDICT = "`model.predict`, behind its own wrappers"
WRITTEN = "agents written in the tests from published shapes"
LIBRARIES = {  # as the command line has them
    "sb3": Library(
        "sb3",
        "Stable-Baselines3",
        "model.zip of PPO, A2C, DQN, SAC, TD3 and DDPG, every policy class",
        "`--normalize` and `--frame-stack`, where there were VecNormalize and VecFrameStack",
        PREDICT,
        "model.zip --trust --normalize vecnormalize.pkl --frame-stack 4",
    ),
    "sb3-contrib": Library(
        "sb3_contrib",
        "sb3-contrib",
        "model.zip of RecurrentPPO, MaskablePPO, TRPO, QR-DQN, TQC, CrossQ and ARS, every policy class",
        "as for Stable-Baselines3",
        PREDICT,
        "model.zip --trust",
    ),
    "rsl-rl": Library(
        "rsl_rl",
        "rsl_rl 1 to 5",
        "model_N.pt: MLP, recurrent and CNN actors, distilled students, normalisers",
        "`--activation`, bounds; `--distribution` unless it is a plain Gaussian; `--cnn`, `--image`",
        "the model of version 5 with the same weights",
        "model_1000.pt --activation elu --low -1 --high 1",
    ),
    "skrl": Library(
        "skrl",
        "skrl",
        "agent_N.pt: policies and Q-networks that its instantiators build of linear layers, shared ones too, scalers",
        "`--activation`, `--output`; bounds or `--kind` and `--sizes`; `--clip` of a scaler; `--containers`, `--agent`",
        "the model that its instantiator builds",
        "agent_1000.pt --activation elu --output ACTIONS --low -1 --high 1 --clip 5",
    ),
    "cleanrl": Library(
        "cleanrl",
        "CleanRL",
        "what ppo, ppo_continuous_action, ppo_atari, ppo_atari_lstm, dqn, c51 (and _atari), sac, td3 and ddpg save",
        "`--sizes` of PPO's choices; of the continuous PPO bounds and `--normalize` or `--raw`",
        WRITTEN,
        "agent.cleanrl_model --normalize statistics.safetensors --low -1 --high 1",
    ),
    "maniskill": Library(
        "maniskill",
        "ManiSkill's PPO baseline",
        "ckpt_N.pt of the baseline from states",
        "bounds",
        WRITTEN,
        "ckpt_1000.pt --low -1 --high 1",
    ),
    "pufferlib": Library(
        "pufferlib",
        "PufferLib 3",
        "model_N.pt of the Default policy, alone or in its LSTMWrapper",
        "`--sizes`, or bounds",
        WRITTEN,
        "model_1000.pt --sizes 3 2",
    ),
    "rl-games": Library(
        "rl_games",
        "rl_games",
        "NAME.pth of PPO: MLP and recurrent actors with their normaliser",
        "`--activation`; of numbers `--mu-activation`, `--clip-actions` and bounds; `--rnn` where sizes leave it open",
        WRITTEN,
        "Ant.pth --activation elu --mu-activation None --clip-actions true --low -1 --high 1",
    ),
    "onnx": Library(
        "onnx",
        "ONNX",
        "model.onnx, opset 7 and later",
        "`--outputs`, where their names do not show what they are",
        "ONNX Runtime",
        "model.onnx --outputs logits value",
    ),
}


def importer(name: str) -> ModuleType:
    """The module of an importer. Raises MinnowError where there is none of that name."""
    if name not in LIBRARIES:
        raise unknown("importer", name, LIBRARIES)
    return importlib.import_module(f"minnow.export.importers.{LIBRARIES[name].module}")


def load(name: str, path: Path | str, **options: Any) -> Any:
    """A policy of another library as an `Imported`; options are the fields of that importer's `Options`.

    Raises ExportError where it is not read as a whole, or acts otherwise than the library, where that is installed."""
    return importer(name).load(Path(path), **options).checked()


def table() -> str:
    """The libraries as a table in Markdown: what is read, what must be said, and what an import is held to."""
    rows = ["| library | what is read | what must be said | an import is held to |", "|---|---|---|---|"]
    rows += [f"| {item.title} | {item.reads} | {item.say} | {item.held} |" for item in LIBRARIES.values()]
    commands = [f"minnow export --from {name} {item.example}" for name, item in LIBRARIES.items()]
    return "\n".join([*rows, "", "```sh", *commands, "```"])
