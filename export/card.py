"""The model card of an export: one content, as JSON for programs and as Markdown for people and model hubs."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from minnow.cinfer import Policy, load
from minnow.cinfer.errors import MinnowError
from minnow.cinfer.policy import ffi
from minnow.export import backends, files, parity
from minnow.export.parity import Reference

PROVENANCE = ("environment", "source_hash", "steps", "seed", "command", "created", "library", "algorithm", "config")
TIMED = 0.05  # seconds of steps to take the speed from
BACKENDS = {"c": "C", "wasm": "WebAssembly", "onnx": "ONNX Runtime"}


def write(
    policy: Path, reference: Reference, operations: list[str], unused: list[str], warnings: list[str]
) -> dict[str, Any]:
    """Writes the card of a policy file that was just exported, beside it as .md and .json; returns its content."""
    made = card(policy, reference, operations, unused, warnings)
    files.write(policy.with_suffix(".json"), (json.dumps(made, ensure_ascii=False, indent=1) + "\n").encode())
    files.write(policy.with_suffix(".md"), markdown(made).encode())
    return made


def beside(policy: Path) -> dict[str, Any] | None:
    """The card that lies beside a policy file, if there is one and it is of these bytes."""
    try:
        found = json.loads(policy.with_suffix(".json").read_text("utf-8"))
        return found if found.get("sha256") == parity.sha256(policy.read_bytes()) else None
    except (OSError, ValueError, AttributeError):
        return None


def card(
    path: Path, reference: Reference, operations: list[str], unused: list[str], warnings: list[str]
) -> dict[str, Any]:
    """What there is to say about a policy file, in JSON's terms. Runs it in every back end that is here."""
    data = path.read_bytes()
    policy = load(data)
    meta = policy.meta
    action = policy.action
    labels = meta.get("action") or [{}] * action.heads
    heads = [
        dict(labels[i] if i < len(labels) and isinstance(labels[i], dict) else {})
        | (
            {"size": action.sizes[i]}
            if action.sizes
            else {"low": number(action.low[i]), "high": number(action.high[i])}
        )
        for i in range(action.heads)
    ]
    score = meta.get("score")
    return {
        "name": meta.get("name", path.stem),
        "description": meta.get("description"),
        "inputs": [{"name": item.name, "shape": list(item.shape), "dtype": str(item.dtype)} for item in policy.inputs],
        "observation": meta.get("observation"),
        "action": {"kind": action.kind, "squash": action.squash, "heads": heads},
        "outputs": [{"name": item.name, "shape": list(item.shape), "role": item.role} for item in policy.outputs],
        "state": [{"name": item.name, "shape": list(item.shape)} for item in policy.states],
        "provenance": {key: meta[key] for key in PROVENANCE if key in meta},
        "score": None
        if score is None
        else {
            "mean": score,
            "ci95": meta.get("score_ci95"),
            "episodes": meta.get("episodes"),
            "protocol": meta.get("protocol"),
        },
        "parity": {
            "reference": f"torch, {reference.steps} steps of {reference.agents} agents",
            "limit": reference.limit,
            **agreement(path, data, reference, meta.get("onnx")),
        },
        "no_onnx": meta.get("onnx"),
        "weights": {"dtype": meta.get("weights", "f32"), "rounding": meta.get("rounding")},
        "sha256": reference.sha256,
        "bytes": len(data),
        "operations": operations,
        "unused": unused,
        "warnings": warnings,
        "speed": {"us": round(speed(policy), 2), "agents": 1, "machine": machine()},
    }


def number(value: float) -> float | None:
    """JSON knows no infinity: None is "no bound"."""
    return float(value) if np.isfinite(value) else None


def agreement(path: Path, data: bytes, reference: Reference, no_onnx: str | None) -> dict[str, Any]:
    """The difference from the reference by back end; a sentence where it could not run, or why there is no ONNX."""
    runs = {
        "c": lambda: backends.run_c(data, reference),
        "wasm": lambda: backends.run_wasm(data, reference),
        "onnx": lambda: backends.run_onnx(path.with_suffix(".onnx"), reference),
    }
    found: dict[str, Any] = {}
    for name, run in runs.items():
        if name == "onnx" and no_onnx:
            found[name] = f"there is no model: {no_onnx}"
            continue
        try:
            found[name] = parity.difference(run(), reference).to_dict()
        except MinnowError as error:
            found[name] = str(error)
    return found


def speed(policy: Policy) -> float:
    """Microseconds a step of one agent in C: the best of ten short runs."""
    session, arrays = policy.session(), [np.zeros(item.shape, item.dtype) for item in policy.inputs]
    inputs = ffi().new("void *[]", [ffi().cast("void *", array.ctypes.data) for array in arrays])

    def seconds(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            session.c.minnow_step_inputs(session.at, inputs, ffi().NULL)
        return (time.perf_counter() - begin) / count

    count = max(1, int(TIMED / 10 / max(seconds(10), 1e-9)))
    return min(seconds(count) for _ in range(10)) * 1e6


def machine() -> str:
    """The processor, in its maker's words where the system has them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def markdown(card: dict[str, Any]) -> str:
    """The card for people, with the metadata block that model hubs read."""
    parts = [
        head(card),
        f"# {card['name']}",
        card["description"] or "",
        *(f"> **Warning**: {words}." for words in card["warnings"]),
        facts(card),
        "## Observation",
        observation(card),
    ]
    parts += ["## Action", action(card), "## Score", score(card), "## Parity", agreements(card), "## Provenance"]
    rows = [[key, f"`{json.dumps(value, ensure_ascii=False)}`"] for key, value in card["provenance"].items()]
    parts += [table(["key", "value"], rows) if rows else "Not recorded."]
    return "\n\n".join(part for part in parts if part) + "\n"


def head(card: dict[str, Any]) -> str:
    """YAML; JSON's scalars and lists are YAML too."""
    say = lambda value: json.dumps(value, ensure_ascii=False)  # noqa: E731
    environment = card["provenance"].get("environment")
    tags = ["reinforcement-learning", "minnow", *([] if card["no_onnx"] else ["onnx"])]
    tags += [environment] if environment else []
    lines = ["---", "library_name: minnow", "pipeline_tag: reinforcement-learning", f"tags: {say(tags)}"]
    if card["score"] and environment:
        lines += [
            "model-index:",
            f"- name: {say(card['name'])}",
            "  results:",
            "  - task: {type: reinforcement-learning, name: reinforcement-learning}",
            f"    dataset: {{type: {say(environment)}, name: {say(environment)}}}",
            f"    metrics: [{{type: mean_reward, name: mean score, value: {say(spread(card['score']))}}}]",
        ]
    return "\n".join([*lines, "---"])


def spread(score: dict[str, Any]) -> str:
    return f"{score['mean']:.2f}" + ("" if score["ci95"] is None else f" +/- {score['ci95']:.2f}")


def facts(card: dict[str, Any]) -> str:
    weights, speed = card["weights"], card["speed"]
    rounding = weights["rounding"]
    rounded = f", {rounding['max_diff']:.1e} from the unrounded network" if rounding else ""
    return table(
        ["", ""],
        [
            ["Size", f"{card['bytes']:,} bytes"],
            ["Weights", weights["dtype"] + rounded],
            ["Operations", f"{len(card['operations'])}: {', '.join(dict.fromkeys(card['operations']))}"],
            ["Recurrent state", ", ".join(f"{s['name']} {s['shape']}" for s in card["state"]) or "none"],
            ["Left out as unused", ", ".join(card["unused"]) or "nothing"],
            ["A step of one agent", f"{speed['us']} µs in C on {speed['machine']}"],
            ["SHA-256", f"`{card['sha256']}`"],
        ],
    )


def observation(card: dict[str, Any]) -> str:
    inputs = "\n".join(f"- `{item['name']}`: {item['dtype']} {item['shape']} an agent" for item in card["inputs"])
    fields = card["observation"]
    if not fields:
        return inputs
    listed = {name: rows for name, rows in fields.items() if isinstance(rows, list)} if isinstance(fields, dict) else {}
    if isinstance(fields, list):
        listed = {"": fields}
    if not listed:
        return f"{inputs}\n\n`{json.dumps(fields, ensure_ascii=False)}`"
    tables = [(f"`{name}`:\n\n" if name else "") + named(rows) for name, rows in listed.items()]
    return "\n\n".join([inputs, *tables])


def named(fields: list[Any]) -> str:
    """What each number of an input means."""
    rows = []
    for i, item in enumerate(fields):
        item = item if isinstance(item, dict) else {"name": item}
        bounds = f"{item['low']:g} to {item['high']:g}" if None not in (item.get("low"), item.get("high")) else ""
        rows.append([str(i), str(item.get("name", "")), bounds, str(item.get("unit", ""))])
    return table(["", "field", "range", "unit"], rows)


def action(card: dict[str, Any]) -> str:
    found = card["action"]
    if found["kind"] == "none":
        return "No action is declared: the outputs are used as they are."
    rows = []
    for i, item in enumerate(found["heads"]):
        means = (
            ", ".join(item.get("labels", [])) if "size" in item else f"{bound(item['low'])} to {bound(item['high'])}"
        )
        rows.append([str(item.get("name", i)), str(item.get("size", "")), means])
    squash = "" if found["squash"] == "none" else f", by {found['squash']}"
    return f"{found['kind']}{squash}\n\n" + table(["head", "choices", "meaning"], rows)


def bound(value: float | None) -> str:
    return "no bound" if value is None else f"{value:g}"


def score(card: dict[str, Any]) -> str:
    found = card["score"]
    if not found:
        return "Not measured."
    half = "" if found["ci95"] is None else " (95 % confidence interval)"
    protocol = f" {found['protocol']}" if found["protocol"] else ""
    return f"{spread(found)}{half}.{protocol}"


def agreements(card: dict[str, Any]) -> str:
    found = card["parity"]
    rows = []
    for key, name in BACKENDS.items():
        item = found[key]
        far = f"{item['max_diff']:.1e}" if isinstance(item, dict) else f"could not run: {item}"
        rows.append([name, far])
    words = f"Against {found['reference']}; up to {found['limit']:.1g} is agreement. `minnow verify` measures it anew."
    return table(["back end", "difference"], rows) + f"\n\n{words}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
