"""A module's graph with a free number of agents, by `torch.export`.

Before tracing, the module runs a few times as it is: to find the agent axis of every state leaf, and to see that it
keeps nothing to itself between calls.
"""

from __future__ import annotations

import copy
import inspect
import io
import itertools
import logging
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from minnow.export.action import Action, Box
from minnow.export.errors import ExportError, first_line, place_here, place_of

DTYPES = {torch.float32: "f32", torch.uint8: "u8", torch.int32: "i32"}
NARROW = {torch.float64: torch.float32, torch.int64: torch.int32, torch.bool: torch.uint8}  # at the door


@dataclass
class Leaf:
    """One array of the observation or of the state: `tensor` is the example as the file takes it, `axis` the agents'
    axis in it, `dtype` what the module takes: float64, int64 and bool are narrowed at the door, and back for torch."""

    name: str
    tensor: Tensor
    axis: int = 0
    dtype: torch.dtype = torch.float32

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one agent's part."""
        return tuple(n for i, n in enumerate(self.tensor.shape) if i != self.axis)

    @property
    def one(self) -> Tensor:
        """The first agent's part."""
        return self.tensor.select(self.axis, 0)

    def resize(self, agents: int) -> Tensor:
        """The example for another number of agents: its rows over and over."""
        index = torch.arange(agents) % self.tensor.shape[self.axis]
        return self.tensor.index_select(self.axis, index)


class Signature:
    """What a module takes and gives: named leaves of the observation and the state, names of the outputs.

    `outputs` None takes the names from what forward returns: the keys of a dict; else `logits`, or `mean` where the
    action is a Box, and `value` after logits. `returned` are the same names in the order that forward has them."""

    def __init__(
        self,
        module: nn.Module,
        example_obs: Any,
        example_state: Any = None,
        outputs: Sequence[str] | None = None,
        state_axes: Any = None,
        action: Action | None = None,
    ) -> None:
        module = _bare(module)
        self.module = _copy(module)  # probing and tracing leave the caller's module alone
        if self.module is not module:
            _free_empty_buffers(self.module)
        self.outputs: tuple[str, ...] | None = None if outputs is None else tuple(outputs)
        self.returned: tuple[str, ...] = self.outputs or ()
        self._guess = ("mean",) if isinstance(action, Box) else ("logits", "value")
        self.obs, self.obs_spec = _leaves(example_obs, "obs")
        self.recurrent = example_state is not None
        self.states, self.state_spec = _leaves(example_state, "state") if self.recurrent else ([], None)
        if self.outputs is not None:
            _check_outputs(self.outputs)
        self.agents = self.obs[0].tensor.shape[0] if self.obs[0].tensor.dim() else 0
        for leaf in self.obs:
            if leaf.tensor.dim() == 0 or leaf.tensor.shape[0] != self.agents:
                raise ExportError(
                    f"observation {leaf.name!r} has shape {_shape(leaf.tensor)}, but axis 0 counts the agents, of "
                    f"which {self.obs[0].name!r} has {self.agents}: "
                    "give every observation one row per agent."
                )
        if self.agents == 0:
            raise ExportError("example_obs has no agent: give at least one row.")
        sizes = {n for leaf in (*self.obs, *self.states) for n in leaf.tensor.shape}
        self.probe = next(n for n in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47) if n not in sizes)
        self._find_axes(state_axes)
        self._check_start()

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the outputs, once the module has run."""
        assert self.outputs is not None
        return self.outputs

    def call(
        self, obs: Sequence[Tensor], states: Sequence[Tensor], module: nn.Module | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Runs the module (or a copy of it) once on flat leaves. Returns its outputs and the leaves of its next state.

        Raises ExportError where what comes back is not what `outputs` and the state say."""
        own = [item.to(leaf.dtype) for item, leaf in zip(obs, self.obs, strict=True)]
        args = [pytree.tree_unflatten(own, self.obs_spec)]
        if self.recurrent:
            args.append(_like(states, self.state_spec))
        with torch.no_grad():
            return self._split((module or self.module)(*args))

    def _split(self, result: Any) -> tuple[list[Tensor], list[Tensor]]:
        given = list(result) if isinstance(result, tuple | list) and not _by_name(result) else [result]
        named = self._named(given[: len(given) - self.recurrent], len(given))
        for name, output in named.items():
            if not isinstance(output, Tensor):
                raise ExportError(
                    f"output {name!r} is a {type(output).__name__}, not a tensor: return each tensor as an output of "
                    "its own, named with outputs=(...)."
                )
        outputs = [named[name].detach() for name in self.names]
        outputs = [item.float() if item.dtype == torch.float64 else item for item in outputs]
        if not self.recurrent:
            return outputs, []
        after, _ = _leaves(given[-1], "state")
        if [leaf.name for leaf in after] != [leaf.name for leaf in self.states]:
            raise ExportError(
                f"the state came as {_names(self.states)} and was returned as {_names(after)}: return it nested as "
                "it came."
            )
        return outputs, [leaf.tensor for leaf in after]

    def _named(self, found: list[Any], count: int) -> dict[str, Any]:
        """The outputs by name, in the order they came; `count` values were returned in all."""
        if len(found) == 1 and (fields := _by_name(found[0])):
            if self.outputs is None:
                _check_outputs(tuple(fields))
                self.outputs = tuple(fields)
            elif set(fields) != set(self.outputs):
                raise ExportError(
                    f"forward returns {', '.join(map(str, fields))} by name, and outputs= says "
                    f"{', '.join(self.outputs)}: name the same there, or leave outputs= out."
                )
            self.returned = tuple(fields)
            return fields
        if self.outputs is None:
            if not 1 <= len(found) <= len(self._guess):
                raise ExportError(
                    f"forward returned {len(found)} outputs{' and the state' if self.recurrent else ''}, and nothing "
                    "says what they are: name them with outputs=(...), or return them in a dict."
                )
            self.returned = self.outputs = self._guess[: len(found)]
        if len(found) != len(self.outputs):
            want = len(self.outputs) + self.recurrent
            names = ", ".join((*self.outputs, "state") if self.recurrent else self.outputs)
            hint = (
                "pass example_state if the module is recurrent, or name what it returns with outputs=(...)"
                if not self.recurrent
                else "return the outputs in that order, then the state, nested as it came"
            )
            raise ExportError(f"forward returned {count} values where {want} are expected ({names}): {hint}.")
        return dict(zip(self.outputs, found, strict=True))

    def _find_axes(self, state_axes: Any) -> None:
        candidates: list[Sequence[int]] = []
        if state_axes is not None:
            axes = pytree.tree_leaves(state_axes)
            if len(axes) != len(self.states):
                raise ExportError(
                    f"state_axes has {len(axes)} numbers for {len(self.states)} state leaves ({_names(self.states)}): "
                    "give one axis for each, nested as the state."
                )
            for leaf, axis in zip(self.states, axes, strict=True):
                if not isinstance(axis, int) or not 0 <= axis < leaf.tensor.dim():
                    raise ExportError(
                        f"state_axes gives axis {axis!r} for {leaf.name!r} of shape {_shape(leaf.tensor)}: "
                        f"give a number from 0 to {leaf.tensor.dim() - 1}."
                    )
                candidates.append([axis])
        else:
            for leaf in self.states:
                axes = [i for i, n in enumerate(leaf.tensor.shape) if n == self.agents]
                if not axes:
                    raise ExportError(
                        f"state leaf {leaf.name!r} has shape {_shape(leaf.tensor)} and no axis of {self.agents}, the "
                        "number of agents in example_obs: make example_state for as many agents."
                    )
                candidates.append(axes)
        self._use([axes[0] for axes in candidates])
        self._run(self.agents)  # faults of the module itself show here, before axes are in question
        found, fault = [], None
        for axes in itertools.islice(itertools.product(*candidates), 256):
            self._use(axes)
            try:
                self._run(self.probe)
            except ExportError as error:
                fault = fault or error
            else:
                found.append(axes)
        if fault is not None and not found:
            raise fault
        if len(found) > 1:
            raise ExportError(
                f"the agent axis of the state ({_names(self.states)}) is ambiguous: "
                f"{' and '.join(map(str, found[:3]))} run. "
                "Make example_obs and example_state for a number of agents equal to no other size, or pass state_axes."
            )
        self._use(found[0])

    def _use(self, axes: Sequence[int]) -> None:
        for leaf, axis in zip(self.states, axes, strict=True):
            leaf.axis = axis

    def _run(self, agents: int) -> None:
        """One call with so many agents; checks that the shapes are those of a step."""
        obs = [leaf.resize(agents) for leaf in self.obs]
        states = [leaf.resize(agents) for leaf in self.states]
        watch = Watch()
        try:
            with watch, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outputs, after = self.call(obs, states, _copy(self.module))
        except ExportError:
            raise
        except Exception as error:
            raise self._failed(error, agents) from error
        self.watch = watch
        for name, output in zip(self.names, outputs, strict=True):
            if output.dim() == 0 or output.shape[0] != agents:
                raise ExportError(
                    f"output {name!r} has shape {_shape(output)} for {agents} agents: its axis 0 must count the "
                    "agents, so that no agent's output depends on the others."
                )
        for leaf, before, new in zip(self.states, states, after, strict=True):
            if new.shape != before.shape or new.dtype != before.dtype:
                raise ExportError(
                    f"state leaf {leaf.name!r} goes in as {_shape(before)} {_dtype(before)} and comes back as "
                    f"{_shape(new)} {_dtype(new)} (with {agents} agents): a state keeps its shape; store what grows "
                    "in a fixed window."
                )

    def _failed(self, error: Exception, agents: int) -> ExportError:
        for name, tensor in self.module.named_parameters():
            if tensor.is_floating_point() and tensor.dtype != torch.float32:
                return ExportError(
                    f"parameter {name!r} is {_dtype(tensor)} and policy files hold float32: call module.float() before "
                    f"export (torch says{place_of(error)}: {first_line(error)})."
                )
        many = "" if agents == self.agents else f" with {agents} agents instead of {self.agents}"
        hint = (
            "check that example_obs and example_state are what forward takes."
            if not many
            else "the number of agents must be free; take it from obs.shape[0]."
        )
        return ExportError(f"forward fails{many}{place_of(error)}: {first_line(error)}; {hint}")

    def _check_start(self) -> None:
        """Every agent starts with the example state, so its rows must be alike."""
        for leaf in self.states:
            if not torch.equal(leaf.tensor, leaf.one.unsqueeze(leaf.axis).expand_as(leaf.tensor)):
                raise ExportError(
                    f"example_state differs between agents in {leaf.name!r} (axis {leaf.axis}): it is what every agent "
                    "starts an episode with, usually zeros; give each agent the same."
                )

    def check_repeats(self) -> None:
        """Raises ExportError if forward gives different results for the same arguments."""
        module = _copy(self.module)
        obs, states = ([leaf.tensor for leaf in leaves] for leaves in (self.obs, self.states))
        first, second = (
            self.call([item.clone() for item in obs], [item.clone() for item in states], module) for _ in range(2)
        )
        for a, b in zip((*first[0], *first[1]), (*second[0], *second[1]), strict=True):
            if not torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)):
                raise ExportError(
                    "forward gives different results for the same arguments: it draws random numbers (call "
                    "module.eval() before export) or keeps state on self (pass it in and return it: "
                    "forward(obs, state))."
                )

    def check_numbers(self) -> None:
        """Raises ExportError if an agent's results depend on how many agents there are."""
        most = 64
        results = []
        for count in (most, 1, 2, self.agents):
            obs, states = ([leaf.resize(count) for leaf in group] for group in (self.obs, self.states))
            outputs, after = self.call(obs, states, _copy(self.module))
            after = [item.movedim(leaf.axis, 0) for item, leaf in zip(after, self.states, strict=True)]
            results.append([*outputs, *after])
        for few in results[1:]:
            for name, a, b in zip((*self.names, *(leaf.name for leaf in self.states)), few, results[0], strict=True):
                count = min(len(a), self.agents)
                if not torch.allclose(a[:count], b[:count], 1e-3, 1e-3, equal_nan=True):
                    raise ExportError(
                        f"{name!r} of an agent differs between {len(a)} and {most} agents of the same observations: "
                        "what forward computes for an agent must not depend on how many there are."
                    )

    def remembers(self) -> bool:
        """Whether calls change what the module makes of the next one, as far as a few of them show."""
        used, fresh = _copy(self.module), _copy(self.module)
        obs, states = ([leaf.tensor for leaf in leaves] for leaves in (self.obs, self.states))
        other = [item * 0.5 + 0.25 if item.is_floating_point() else item.flip(0) for item in obs]
        if used is fresh or all(map(torch.equal, obs, other)):
            return True
        try:
            for _ in range(4):
                self.call([item.clone() for item in other], [item.clone() for item in states], used)
            results = [self.call(obs, states, module) for module in (used, fresh)]
        except Exception:  # of a module that cannot take these; then nothing is shown
            return True
        pairs = zip(*((*outputs, *after) for outputs, after in results), strict=True)
        return not all(torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)) for a, b in pairs)


class Watch(TorchFunctionMode):
    """Remembers the first line that takes a tensor's values into Python, where tracing cannot follow."""

    ESCAPES = frozenset(("tolist", "item", "__bool__", "__int__", "__float__", "__index__", "numpy", "__array__"))

    def __init__(self) -> None:
        super().__init__()
        self.line = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self.line and getattr(func, "__name__", "") in self.ESCAPES:
            self.line = place_here()
        return func(*args, **(kwargs or {}))


def _like(leaves: Sequence[Any], spec: pytree.TreeSpec | None) -> Any:
    """The leaves of a state, nested as it came."""
    assert spec is not None
    return pytree.tree_unflatten(list(leaves), spec)


def trace(signature: Signature) -> torch.export.ExportedProgram:
    """The module's graph, before any decomposition, its agent dimension free. Raises ExportError."""
    count = 2 if signature.agents == 1 else signature.agents  # torch takes a size of 1 for a constant
    own = [leaf.resize(count).to(leaf.dtype) for leaf in signature.obs]
    args = [pytree.tree_unflatten(own, signature.obs_spec)]
    if signature.recurrent:
        args.append(_like([leaf.resize(count) for leaf in signature.states], signature.state_spec))
    module, fixed = _plain(signature.module, tuple(args)), []
    try:
        program, said = _export(signature, module, tuple(args), torch.export.Dim("agents", min=1), fixed)
    except Exception as error:
        if "Constraints violated" not in str(error) or fixed:
            raise _refusal(signature, error, fixed) from error
        # Some line is right for a range of numbers of agents: the same must come of it for every number.
        try:
            program, said = _export(signature, module, tuple(args), torch.export.Dim.DYNAMIC, fixed)
        except Exception:
            raise _refusal(signature, error, fixed) from error
        signature.check_numbers()
    for warning in said:
        text = str(warning.message)
        if "assigned during export" in text and "_flat_weights" not in text and signature.remembers():
            raise ExportError(
                f"forward assigns the{_assigned(text)}{_where(signature.module, text)}: memory between steps must be "
                "passed in and returned, forward(obs, state) -> (outputs..., state)."
            )
    return program


def _export(
    signature: Signature, module: nn.Module, args: tuple[Any, ...], agents: Any, fixed: list[Fixing]
) -> tuple[torch.export.ExportedProgram, list[warnings.WarningMessage]]:
    """torch.export with `agents` as the size of the agents' axes; also what it warned of."""
    dims = [pytree.tree_unflatten([{0: agents}] * len(signature.obs), signature.obs_spec)]
    if signature.recurrent:
        dims.append(_like([{leaf.axis: agents} for leaf in signature.states], signature.state_spec))
    shapes: Any = tuple(dims)
    if any(item.kind is item.VAR_POSITIONAL for item in inspect.signature(module.forward).parameters.values()):
        shapes = (shapes,)  # forward(*args): torch wants the shapes of args together
    with torch.no_grad(), quiet(), _eased(module), _fixings(fixed), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        return torch.export.export(module, args, dynamic_shapes=shapes, strict=False), said


def _bare(module: nn.Module) -> nn.Module:
    """The module inside what torch.compile or training on several devices put around it."""
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif isinstance(inner := getattr(module, "_orig_mod", None), nn.Module):
            module = inner
        else:
            return module


def _plain(module: nn.Module, args: tuple[Any, ...]) -> nn.Module:
    """A scripted or traced module as one that torch.export can take; any other as it is."""
    if not isinstance(module, torch.jit.ScriptModule):
        return module
    try:
        from torch._export.converter import TS2EPConverter

        with torch.no_grad(), quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return TS2EPConverter(module, args, {}).convert().module(check_guards=False)
    except Exception as error:
        raise ExportError(
            f"the module is a TorchScript one, which torch cannot convert ({first_line(error)}): export the module "
            "that it was scripted or traced from."
        ) from error


def _assigned(text: str) -> str:
    """`tensor attribute self.h` of torch's warning."""
    return text.removeprefix("The").split(" was ")[0].split(" were ")[0]


def _where(module: nn.Module, text: str) -> str:
    """The line of forward that mentions the attribute of torch's warning first."""
    name = _assigned(text).split("self.")[-1].split("[")[0].split(",")[0].strip()
    for part in module.modules():
        try:
            lines, first = inspect.getsourcelines(type(part).forward)
        except (OSError, TypeError):
            continue
        for i, words in enumerate(lines):
            if f"self.{name}" in words:
                return f" at {inspect.getsourcefile(type(part).forward)}:{first + i} (`{words.strip()}`)"
    return ""


@dataclass(frozen=True)
class Fixing:
    """A line of the module, and whether a recurrent layer of torch's is at work there."""

    line: str
    recurrent: bool


@contextmanager
def _fixings(lines: list[Fixing]) -> Iterator[None]:
    """Notes where a free size becomes a plain number, of which torch's own message says nothing."""
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    name = "_set_replacement"
    plain = getattr(ShapeEnv, name)

    def noted(self: Any, symbol: Any, value: Any, *rest: Any) -> None:
        if getattr(value, "is_number", False):
            recurrent = any(frame.filename.endswith("nn/modules/rnn.py") for frame in traceback.extract_stack())
            lines.append(Fixing(place_here(), recurrent))
        plain(self, symbol, value, *rest)

    setattr(ShapeEnv, name, noted)
    try:
        yield
    finally:
        setattr(ShapeEnv, name, plain)


def _refusal(signature: Signature, error: Exception, fixed: list[Fixing]) -> ExportError:
    text = str(error)
    if "data-dependent" in text or "DataDependent" in type(error).__name__:
        return ExportError(
            f"control flow depends on a tensor's values{place_of(error) or signature.watch.line}: a policy file is a "
            "fixed list of operations; write the choice as arithmetic on both branches."
        )
    if "Constraints violated" in text or "specialized" in text:
        line = signature.watch.line
        why = "a tensor's values go into Python" if line else "a shape or a loop is written for one number of agents"
        hint = "take it from obs.shape[0] and keep every step in torch operations"
        if not line and fixed:
            line = fixed[0].line
            if fixed[0].recurrent:
                hint = "give recurrent layers [1, agents, features], or they take the agents for steps of time"
        return ExportError(f"the number of agents is fixed by the module, {why}{line}: it must be free; {hint}.")
    line = place_of(error) or signature.watch.line
    for name, tensor in itertools.chain(signature.module.named_parameters(), signature.module.named_buffers()):
        if tensor.layout != torch.strided:
            kind = str(tensor.layout).removeprefix("torch.")
            return ExportError(
                f"{name!r} is a {kind} tensor, used{line}: policy files hold dense ones; convert it with .to_dense()."
            )
    return ExportError(
        f"torch.export cannot trace the module{line}: {first_line(error)}; write that line in plain torch operations."
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Holds back what torch's exporters log; what matters of it becomes an ExportError."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # it prints half-made graphs
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class Written(TorchFunctionMode):
    """Functions of torch's that make a plain number of a free size, written with others."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.take_along_dim, Tensor.take_along_dim):
            return self.take_along(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    @staticmethod
    def take_along(x: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
        if dim is None:
            return x.flatten().gather(0, indices.flatten())
        dim %= x.dim()
        shape = torch.broadcast_shapes(*((*item.shape[:dim], 1, *item.shape[dim + 1 :]) for item in (x, indices)))
        x, indices = (item.expand(*shape[:dim], item.shape[dim], *shape[dim + 1 :]) for item in (x, indices))
        return x.gather(dim, indices)


@contextmanager
def _eased(module: nn.Module) -> Iterator[None]:
    """What torch.export stumbles over: `len(x)` of a tensor in the files that the module's parts are written in, of
    which Python makes a plain number, functions of torch's that do the like, and values that torch.distributions
    checks."""

    def free(item: Any) -> Any:
        return item.shape[0] if isinstance(item, Tensor) and item.dim() else len(item)

    spaces = [getattr(type(part).forward, "__globals__", {}) for part in module.modules()]
    spaces = {id(space): space for space in spaces if not space.get("__name__", "torch").startswith("torch")}
    changed = [space for space in spaces.values() if "len" not in space]
    kind = torch.distributions.Distribution
    checks = kind._validate_args
    kind.set_default_validate_args(False)
    for space in changed:
        space["len"] = free
    try:
        with Written():
            yield
    finally:
        kind.set_default_validate_args(checks)
        for space in changed:
            del space["len"]


def _copy(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module).cpu()
    except Exception:  # of a module that holds what cannot be copied
        return module


def _free_empty_buffers(module: nn.Module) -> None:
    """Makes buffers that were registered as None plain attributes: torch.export loses count of buffers beside them."""
    for part in module.modules():
        for name in [name for name, buffer in part._buffers.items() if buffer is None]:
            delattr(part, name)
            setattr(part, name, None)


def _leaves(tree: Any, root: str) -> tuple[list[Leaf], pytree.TreeSpec]:
    """The arrays of a nest with a name for each: its path, or `root` where it is a single array."""
    pairs, spec = pytree.tree_flatten_with_path(tree)
    if not pairs:
        raise ExportError(f"the example {root} holds no array: pass one, batched over agents.")
    leaves = []
    for path, item in pairs:
        name = ".".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path) or root
        if isinstance(item, np.ndarray):
            try:
                item = torch.from_numpy(item)
            except (TypeError, ValueError) as error:
                raise ExportError(f"{root} {name!r} is an array of {item.dtype}: {first_line(error)}.") from error
        if not isinstance(item, Tensor):
            raise ExportError(
                f"{root} {name!r} is a {type(item).__name__}: a tensor or a NumPy array is expected, in any nesting of "
                "dicts, tuples and lists."
            )
        dtypes = [torch.float32] if root == "state" else [*DTYPES, *NARROW]
        if item.layout != torch.strided or item.dtype not in dtypes:
            known = " or ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
            raise ExportError(f"{root} {name!r} is {_dtype(item)}: it must be a dense array of {known}; convert it.")
        leaves.append(Leaf(name, _narrow(item.detach().cpu(), name), dtype=item.dtype))
    return leaves, spec


def _narrow(item: Tensor, name: str) -> Tensor:
    """An observation as the file takes it. Raises ExportError for what does not fit there."""
    if item.dtype not in NARROW:
        return item
    narrow = item.to(NARROW[item.dtype])
    lost = narrow.isinf() & ~item.isinf() if item.dtype == torch.float64 else narrow.to(item.dtype) != item
    if lost.any():
        raise ExportError(
            f"obs {name!r} is {_dtype(item)} and holds {item[lost][0].item()}, which is too large for "
            f"{_dtype(narrow)}, what a policy file takes: let the environment count or scale it differently."
        )
    return narrow


def _by_name(item: Any) -> dict[str, Any]:
    """What a dict or a named tuple holds by name; nothing of anything else."""
    fields = getattr(item, "_asdict", lambda: item)()
    return dict(fields) if isinstance(fields, Mapping) else {}


def _check_outputs(outputs: tuple[str, ...]) -> None:
    if not outputs or len(set(outputs)) != len(outputs) or not all(isinstance(n, str) and n for n in outputs):
        raise ExportError(f"outputs={outputs!r}: name every output of forward once, in order.")


def _names(leaves: Sequence[Leaf]) -> str:
    return ", ".join(leaf.name for leaf in leaves)


def _shape(tensor: Tensor) -> str:
    return str(list(tensor.shape))


def _dtype(tensor: Tensor) -> str:
    kind = str(tensor.dtype).removeprefix("torch.")
    return kind if tensor.layout == torch.strided else f"{str(tensor.layout).removeprefix('torch.')} {kind}"
