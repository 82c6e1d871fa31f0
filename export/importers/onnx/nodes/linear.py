"""Products of matrices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from minnow.export.importers.onnx.nodes import At, node
from minnow.export.importers.onnx.values import Item, tensor


@node("Gemm")
def gemm(at: At, a: Item, b: Item, c: Item | None = None) -> Tensor:
    a, b = tensor(a), tensor(b)
    a = a.t() if at.get("transA") else a
    b = b if at.get("transB") else b.t()
    alpha, beta = at.get("alpha", 1.0), at.get("beta", 1.0)
    b = b if alpha == 1 else b * alpha
    if c is None:
        return F.linear(a, b)
    c = tensor(c) if beta == 1 else tensor(c) * beta
    return F.linear(a, b, c) if c.shape == b.shape[:1] else F.linear(a, b) + c


@node("MatMul")
def matmul(at: At, a: Item, b: Item) -> Tensor:
    return torch.matmul(tensor(a), tensor(b))


@node("Einsum")
def einsum(at: At, *items: Item) -> Tensor:
    return torch.einsum(at.get("equation").replace(" ", ""), *(tensor(item) for item in items))
