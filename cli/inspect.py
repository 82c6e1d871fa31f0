"""`minnow inspect`: what a policy file holds: operations, shapes, weights, provenance, parity; and its graph as SVG."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow.cinfer.errors import MinnowError
from minnow.cli import flags

SUMMARY = "show what a policy file holds"
USAGE = """usage: minnow inspect FILE.minnow [options]    a policy file, or a run's folder with one

minnow inspect FILE --help lists the options."""


@dataclass
class Flags:
    """Show what a policy file holds."""

    json: bool = False
    """Print one JSON object on standard output."""
    graph: Path | None = None
    """Draw the operations as an SVG file here."""


def main(argv: list[str]) -> int:
    if not argv or argv[0].startswith("-"):
        print(USAGE)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    chosen = flags.parse(Flags, argv[1:], f"minnow inspect {argv[0]}")
    path = Path(argv[0])
    path = path / "policy.minnow" if path.is_dir() else path
    found = describe(path)
    if chosen.graph is not None:
        from minnow.export import files, format, graphic

        files.write(chosen.graph, graphic.svg(format.read(path), found["name"]).encode())
    if chosen.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        show(found)
        if chosen.graph is not None:
            print(chosen.graph)
    return 0


def describe(path: Path) -> dict[str, Any]:
    """What a policy file says, and how its golden vectors come out here."""
    from minnow.cinfer import load
    from minnow.export import card, format

    policy, file = load(path), format.read(path)
    graph, meta = file.graph, dict(file.meta)
    try:
        golden: float | str = float(policy.selftest())
    except MinnowError as error:
        golden = str(error)
    beside = card.beside(path)
    operations = []
    for op in graph.ops:
        tensors = [i for i in op.tensors if i >= 0]
        operations.append(
            {
                "operation": op.kind,
                "inputs": [list(graph.values[i].shape) for i in op.inputs],
                "outputs": [list(graph.values[i].shape) for i in op.outputs],
                "tensors": [graph.tensor_names[i] for i in tensors],
                "parameters": sum(graph.tensors[i].size for i in tensors),
                "dtypes": sorted({file.dtypes[i] for i in tensors}),
                "attributes": op.attrs,
                "source": op.source,
            }
        )
    return {
        "file": str(path),
        "name": meta.pop("name", path.stem),
        "bytes": len(policy.data),
        "sha256": policy.sha256,
        "parameters": sum(tensor.size for tensor in graph.tensors),
        "inputs": [array(graph, item.name, item.value) for item in graph.inputs],
        "states": [array(graph, item.name, item.before) for item in graph.states],
        "outputs": [array(graph, item.name, item.value) | {"role": item.role} for item in graph.outputs],
        "action": None if file.action is None else str(file.action),
        "operations": operations,
        "tensors": [
            {"name": name, "shape": list(tensor.shape), "dtype": dtype}
            for name, tensor, dtype in zip(graph.tensor_names, graph.tensors, file.dtypes, strict=True)
        ],
        "weights": {"dtype": meta.pop("weights", "f32"), "rounding": meta.pop("rounding", None)},
        "golden": golden,
        "parity": beside["parity"] if beside else None,
        "meta": meta,
    }


def array(graph: Any, name: str, value: int) -> dict[str, Any]:
    return {"name": name, "shape": list(graph.values[value].shape), "dtype": graph.values[value].dtype}


def show(found: dict[str, Any]) -> None:
    """The same for people."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    facts = Table.grid(padding=(0, 2))
    rounding = found["weights"]["rounding"]
    rounded = f", {rounding['max_diff']:.1e} from the unrounded network" if rounding else ""
    rows = [
        ("file", f"{found['file']}, {found['bytes']:,} bytes, {found['parameters']:,} parameters"),
        ("sha256", found["sha256"]),
        *((kind, "; ".join(words(item) for item in found[kind]) or "none") for kind in ("inputs", "states", "outputs")),
        ("action", found["action"] or "none declared"),
        ("weights", found["weights"]["dtype"] + rounded),
        ("golden vectors", agreement(found["golden"])),
    ]
    if found["parity"]:
        rows += [(f"parity, {name}", agreement(found["parity"][name])) for name in ("c", "wasm", "onnx")]
    else:
        rows.append(("parity", "not recorded beside this file: minnow verify measures it"))
    for key, value in found["meta"].items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        rows.append((key, text if len(text) <= 200 else f"{text[:200]} …"))
    for name, text in rows:
        facts.add_row(f"[bold]{escape(name)}[/]", escape(text))
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("", "operation", "from", "to", "parameters", "stored", "line"):
        table.add_column(name, justify="right" if name in ("", "parameters") else "left", no_wrap=name == "parameters")
    for i, op in enumerate(found["operations"]):
        attributes = ", ".join(f"{key} {value}" for key, value in op["attributes"].items())
        table.add_row(
            str(i),
            escape(op["operation"] + (f" ({attributes})" if attributes else "")),
            escape(" ".join(map(str, op["inputs"]))),
            escape(" ".join(map(str, op["outputs"]))),
            f"{op['parameters']:,}" if op["parameters"] else "",
            ", ".join(op["dtypes"]),
            escape(op["source"].partition(" (")[0]),
        )
    console.print(f"[bold]{escape(found['name'])}[/]")
    console.print(facts)
    console.print(table)


def words(item: dict[str, Any]) -> str:
    role = f" ({item['role']})" if item.get("role") not in (None, "other", item["name"]) else ""
    return f"{item['name']} {item['shape']} {item['dtype']}{role}"


def agreement(found: Any) -> str:
    if isinstance(found, dict):
        found = found["max_diff"]
    return found if isinstance(found, str) else f"{found:.1e} from torch"
