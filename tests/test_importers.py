"""Policies of other libraries: the file's actions are the library's own, over 1,000 observations.

Each case has the real library make a policy, save it and predict; `tests/importers_*.py` hold the cases.
"""

from __future__ import annotations
