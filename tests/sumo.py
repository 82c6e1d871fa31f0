"""The environment with continuous actions of docs/environments.md, "A second example"."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def write(folder: Path) -> Path:
    """Writes it as it stands there into `folder`; its place."""
    text = (ROOT / "docs" / "environments.md").read_text().split("## A second example")[1].split("\n## ")[0]
    place = folder / "sumo"
    place.mkdir()
    for kind, name in (("c", "sumo.c"), ("toml", "train.toml")):
        (block,) = re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)
        assert f"`sumo/{name}`" in text
        (place / name).write_text(block)
    return place
