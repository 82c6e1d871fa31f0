"""Scripts of Node that import the page's modules."""

from __future__ import annotations

import subprocess
from pathlib import Path


def node(folder: Path, script: str, *given: str | Path) -> str:
    """What a script prints; `import()` in it is relative to the folder."""
    (folder / "package.json").write_text('{"type": "module"}')  # Node 18 asks for it
    (folder / "script.js").write_text(script)
    done = subprocess.run(["node", "script.js", *map(str, given)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
