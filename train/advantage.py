"""Advantages: generalised advantage estimation (Schulman et al., 2015), and the same with the importance ratios of
V-trace (Espeholt et al., 2018), clipped; in C for the CPU and in torch, batched over rows, for everything else.

With delta_t = r_t + gamma V_(t+1) - V_t and ratio_t = new / old probability of the action,
A_t = min(ratio_t, clip_delta) delta_t + gamma lambda min(ratio_t, clip_trace) A_(t+1).
Without ratios both factors are 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from minnow.train.native import call


def estimate(
    reward: Tensor,
    value: Tensor,
    final_value: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    last_value: Tensor,
    gamma: float,
    lam: float,
    ratio: Tensor | None = None,
    clip_delta: float = 1.0,
    clip_trace: float = 1.0,
) -> Tensor:
    """[T, N]. All of one type, f32 or f64, but for the flags, which are bytes.

    value: V of the observations acted on, [T, N]; last_value: V of the one after, [N]; final_value: V of the
    observation that a truncated episode ended with, read only where truncated. Where an episode terminates nothing
    follows; where it is truncated the future is worth final_value; either way, later steps are another episode's.
    """
    form = native if reward.device.type == "cpu" else batched
    return form(
        reward, value, final_value, terminated, truncated, last_value, gamma, lam, ratio, clip_delta, clip_trace
    )


def batched(
    reward: Tensor,
    value: Tensor,
    final_value: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    last_value: Tensor,
    gamma: float,
    lam: float,
    ratio: Tensor | None = None,
    clip_delta: float = 1.0,
    clip_trace: float = 1.0,
) -> Tensor:
    """`estimate` by torch, on any device."""
    goes_on = ((terminated | truncated) == 0).to(reward.dtype)
    following = torch.cat((value[1:], last_value.unsqueeze(0))) * goes_on
    cut = (truncated != 0) & (terminated == 0)
    following = torch.where(cut, final_value, following)
    delta = reward + gamma * following - value
    decay = goes_on * (gamma * lam)
    if ratio is not None:
        delta = delta * ratio.clamp(max=clip_delta)
        decay = decay * ratio.clamp(max=clip_trace)
    advantage = torch.empty_like(reward)
    carry = torch.zeros_like(last_value)
    for t in reversed(range(len(reward))):
        carry = torch.addcmul(delta[t], decay[t], carry)
        advantage[t] = carry
    return advantage


def native(
    reward: Tensor,
    value: Tensor,
    final_value: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    last_value: Tensor,
    gamma: float,
    lam: float,
    ratio: Tensor | None = None,
    clip_delta: float = 1.0,
    clip_trace: float = 1.0,
) -> Tensor:
    """`estimate` by C, on the CPU."""
    inputs = [reward, value, final_value, terminated, truncated, last_value, ratio]
    inputs = [None if leaf is None else leaf.contiguous() for leaf in inputs]
    carry, advantage = torch.empty_like(last_value), torch.empty(reward.shape, dtype=reward.dtype)
    call(reward.dtype, "advantages", *reward.shape, *inputs, gamma, lam, clip_delta, clip_trace, carry,
         advantage)  # fmt: skip
    return advantage
