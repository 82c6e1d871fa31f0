"""Work for an accelerator that is recorded once and then replayed: one launch in place of hundreds."""

from __future__ import annotations

from collections.abc import Callable

import torch

WARM = 3  # calls before the recording, in which libraries choose their kernels and allocate what they need


class Capture:
    """Calls `work`, which must read and write the same memory at each call and ask the device nothing; on CUDA its
    launches are captured (torch.cuda.CUDAGraph) after a few real calls, elsewhere it is simply called."""

    def __init__(self, work: Callable[[], None], device: torch.device) -> None:
        self.work, self.device = work, device
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        if self.device.type != "cuda":
            self.work()
        elif self.graph is not None:
            self.graph.replay()
        elif self.calls < WARM:
            self.calls += 1
            here, beside = torch.cuda.current_stream(), torch.cuda.Stream()  # as capturing asks for
            beside.wait_stream(here)
            with torch.cuda.stream(beside):
                self.work()
            here.wait_stream(beside)
        else:
            self.graph = torch.cuda.CUDAGraph()
            # Other threads, such as that of NCCL, may go on meanwhile.
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                self.work()
            self.graph.replay()
