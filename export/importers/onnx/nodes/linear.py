"""Products of matrices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from minnow.export.importers.onnx.nodes import At, node
from minnow.export.importers.onnx.values import Item, tensor


@node("Gemm")
def gemm(at: At, a: Item, b: Item, c: Item | None = None) -> Tensor:
    left, right = tensor(a), tensor(b)
    left = left.t() if at.get("transA") else left
    right = right if at.get("transB") else right.t()
    alpha, beta = at.get("alpha", 1.0), at.get("beta", 1.0)
    right = right if alpha == 1 else right * alpha
    if c is None:
        return F.linear(left, right)
    bias = tensor(c) if beta == 1 else tensor(c) * beta
    return F.linear(left, right, bias) if bias.shape == right.shape[:1] else F.linear(left, right) + bias


@node("MatMul")
def matmul(at: At, a: Item, b: Item) -> Tensor:
    return torch.matmul(tensor(a), tensor(b))


@node("Einsum")
def einsum(at: At, *items: Item) -> Tensor:
    return torch.einsum(at.get("equation").replace(" ", ""), *(tensor(item) for item in items))
