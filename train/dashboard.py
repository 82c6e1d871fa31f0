"""What a person sees while a policy trains: a live table on a terminal, plain lines elsewhere.

Both go to standard error."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

PAIRS = (
    ("score", "score_mean", "{:+.2f}"),
    ("return", "return_mean", "{:+.2f}"),
    ("Elo", "elo", "{:+.0f}"),
    ("length", "length_mean", "{:.1f}"),
    ("episodes", "episodes", "{:,.0f}"),
    ("broken", "broken_rate", "{:.1%}"),
    ("steps/s", "steps_per_second", "{:,.0f}"),
    ("entropy", "entropy", "{:.3f}"),
    ("KL", "kl", "{:.4f}"),
    ("clipped", "clip_fraction", "{:.3f}"),
    ("explained", "explained_variance", "{:.3f}"),
    ("value loss", "value_loss", "{:.4f}"),
    ("gradient", "gradient_norm", "{:.3f}"),
    ("rate", "learning_rate", "{:.2e}"),
)


class Dashboard:
    """Shows metrics as they come. `title` names the run; `total` is the schedule's length in steps. A terminal that has
    closed is no reason to stop training: what cannot be shown is left out."""

    def __init__(self, title: str, total: int, budget: float | None, console: Console | None = None) -> None:
        self.title, self.total, self.budget = title, total, budget
        self.console = console or Console(stderr=True)
        # Drawn when metrics come, not by a thread of its own, which would take turns with the training.
        self.live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None
        self.last = 0.0

    def __enter__(self) -> Dashboard:
        with contextlib.suppress(OSError):
            if self.live:
                self.live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            if self.live:
                self.live.stop()

    def show(self, metrics: dict[str, float], final: bool = False) -> None:
        """Draws at most four tables, or writes at most one line, a second; the final one always."""
        now = time.monotonic()
        if not final and now - self.last < (0.25 if self.live else 1.0):
            return
        self.last = now
        with contextlib.suppress(OSError):
            if self.live:
                self.live.update(self._table(metrics), refresh=True)
            else:
                self.console.print(self._line(metrics), highlight=False, soft_wrap=True)

    def _clock(self, metrics: dict[str, float]) -> str:
        of = f" of {self.budget:g}" if self.budget else ""
        return f"{metrics['seconds']:.1f}{of} s"

    def _line(self, metrics: dict[str, float]) -> str:
        parts = [f"{metrics['steps'] / 1e6:.2f} of {self.total / 1e6:.2f} M steps, {self._clock(metrics)}"]
        for label, key, form in PAIRS[:8]:
            if key in metrics and key != "episodes":
                parts.append(f"{label} {form.format(metrics[key])}")
        return "  ".join(parts)

    def _table(self, metrics: dict[str, float]) -> Group:
        head = Table.grid(padding=(0, 2))
        head.add_row(
            f"[bold]{self.title}[/]",
            ProgressBar(total=self.total, completed=min(metrics["steps"], self.total), width=30),
            f"{metrics['steps'] / 1e6:.2f} of {self.total / 1e6:.2f} M steps",
            self._clock(metrics),
        )
        body = Table.grid(padding=(0, 2))
        cells = [
            (f"[dim]{label}[/]", form.format(metrics[key]))
            for label, key, form in PAIRS
            if metrics.get(key) is not None
        ]
        for i in range(0, len(cells), 4):
            body.add_row(*(cell for pair in cells[i : i + 4] for cell in pair))
        return Group(head, body)
