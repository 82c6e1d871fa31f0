"""Environments that others wrote, as rows of ours: Gymnasium's and PettingZoo's, in processes over shared memory."""

from __future__ import annotations

from .reference import AT_END, KINDS, Foreign, reference

__all__ = ["AT_END", "KINDS", "Foreign", "reference"]
