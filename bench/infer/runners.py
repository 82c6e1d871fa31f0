"""What is timed beside minnow.h in this process: torch and ONNX Runtime, one thread each, states fed back."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import onnxruntime
import torch

from minnow.bench.infer.nets import Net


class Torch:
    """The module itself, eager."""

    def __init__(self, net: Net, agents: int) -> None:
        torch.set_num_threads(1)
        self._module = net.module
        self._obs, *self._state = net.arguments(agents)
        self._last: Any = None  # the first output

    def run(self, times: int) -> float:
        """Seconds of so many steps."""
        start = time.perf_counter()
        with torch.no_grad():
            for _ in range(times):
                self._last = self._module(self._obs, *self._state)
                if self._state:
                    self._last, *_, self._state[0] = self._last
        return time.perf_counter() - start

    def output(self) -> np.ndarray:
        """The first output of one more step, [agents, ...]."""
        self.run(1)
        return self._last.numpy()


class Onnx:
    """ONNX Runtime with memory bound once: two bindings, so that each step reads the states that the last one wrote."""

    def __init__(self, net: Net, agents: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(net.model, options, providers=["CPUExecutionProvider"])
        states = [item.name for item in session.get_inputs() if item.name != "obs"]
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        obs = value(net.obs(agents))
        sides = [
            {name: value(item.numpy()) for name, item in zip(states, net.state(agents), strict=True)} for _ in "ab"
        ]
        results = {}
        for item in session.get_outputs():
            if not item.name.startswith("next_"):
                shape = [agents if size == "agents" else size for size in item.shape]
                results[item.name] = value(np.zeros(shape, np.float32))
        self._bindings = []
        for old, new in (sides, sides[::-1]):
            binding = session.io_binding()
            for name, item in {"obs": obs, **old}.items():
                binding.bind_ortvalue_input(name, item)
            for name, item in (results | {f"next_{name}": item for name, item in new.items()}).items():
                binding.bind_ortvalue_output(name, item)
            self._bindings.append(binding)
        self._session, self._result, self._turn = session, next(iter(results.values())), 0

    def run(self, times: int) -> float:
        """Seconds of so many steps."""
        run, bindings, turn = self._session.run_with_iobinding, self._bindings, self._turn
        start = time.perf_counter()
        for i in range(turn, turn + times):
            run(bindings[i & 1])
        self._turn = (turn + times) & 1
        return time.perf_counter() - start

    def output(self) -> np.ndarray:
        """The first output of one more step, [agents, ...]."""
        self.run(1)
        return self._result.numpy()
