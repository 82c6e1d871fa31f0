"""ONNX out: a second export of the same module by torch's own exporter, with recurrent state as inputs and outputs.

It shares our trace and nothing of our lowering, so it is also a witness against it. The agents' dimension is free;
state leaf NAME is the input `state.NAME` and the output `next_state.NAME`, as torch has it.
"""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

import torch

from minnow.export.errors import ExportError, brief, causes, first_line
from minnow.export.trace import Signature, quiet


def obs_name(leaf: str) -> str:
    return "obs" if leaf == "obs" else f"obs.{leaf}"


def state_name(leaf: str) -> str:
    return "state" if leaf == "state" else f"state.{leaf}"


def convert(program: torch.export.ExportedProgram, signature: Signature, meta: dict[str, Any]) -> bytes:
    """The bytes of an ONNX model, checked by onnx.checker. `meta` goes into its properties, one each.

    Raises ExportError, with the operation and the first cause, where torch's exporter cannot make one."""
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = torch.onnx.export(program, dynamo=True, verbose=False, external_data=False)
        assert model is not None  # with dynamo
        return _finish(model.model_proto, signature, meta)
    except ExportError:
        raise
    except ImportError as error:
        raise ExportError(f"{first_line(error)} (pip install onnx onnxscript)") from error
    except Exception as error:
        raise ExportError(_reason(program, error)) from error


def _reason(program: torch.export.ExportedProgram, error: Exception) -> str:
    """Why torch's exporter failed: the operation it was at, where that stands in the module, and the first cause."""
    chain = causes(error)
    quoted = re.compile(r"translating node %(\w+).*?target=torch\.ops\.([\w.]+)")
    found = next(filter(None, (quoted.search(str(item)) for item in chain)), None)
    places = [brief(node.meta.get("stack_trace")) for node in program.graph.nodes if found and node.name == found[1]]
    at = f" {found[2]}" + "".join(f" ({where})" for where in places if where) if found else " the module"
    return f"torch.onnx.export cannot convert{at}: {first_line(chain[-1])}"


def _finish(model: Any, signature: Signature, meta: dict[str, Any]) -> bytes:
    import onnx

    states = [state_name(leaf.name) for leaf in signature.states]
    inputs = [*(obs_name(leaf.name) for leaf in signature.obs), *states]
    outputs = [*signature.returned, *(f"next_{name}" for name in states)]
    _rename(model.graph, inputs, outputs)
    axes = [leaf.axis for leaf in (*signature.obs, *signature.states)]
    axes += [0] * len(signature.names) + [leaf.axis for leaf in signature.states]
    for item, axis in zip((*model.graph.input, *model.graph.output), axes, strict=True):
        item.type.tensor_type.shape.dim[axis].dim_param = "agents"
    del model.metadata_props[:]
    for key, value in meta.items():
        model.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    model.producer_name = "minnow"
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _rename(graph: Any, inputs: list[str], outputs: list[str]) -> None:
    """Gives inputs and outputs our names. A value that is both, or an output twice, becomes one of its own."""
    found = [item.name for item in graph.input]
    if len(found) != len(inputs):
        raise ExportError(f"torch.onnx.export made {len(found)} inputs ({', '.join(found)}), not {len(inputs)}.")
    new = dict(zip(found, inputs, strict=True))
    taken = set(new)
    copies = []
    for item, name in zip(graph.output, outputs, strict=True):
        if item.name in taken:
            copies.append((item.name, name))
        else:
            new[item.name] = name
            taken.add(item.name)
    inner = {name for node in graph.node for name in node.output} | {item.name for item in graph.initializer}
    for name in (inner - new.keys()) & set(new.values()):
        new[name] = f"{name}.inner"
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new.get(name, name) for name in names]
    for item in (*graph.initializer, *graph.value_info, *graph.input):
        item.name = new.get(item.name, item.name)
    for item, name in zip(graph.output, outputs, strict=True):
        item.name = name
    for source, name in copies:
        graph.node.add(op_type="Identity", input=[new.get(source, source)], output=[name])
