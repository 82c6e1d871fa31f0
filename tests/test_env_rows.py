"""Rows without threads or a C library: in WebAssembly as natively, and on little stack."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from minnow import envs
from minnow.cinfer import compile
from minnow.envs.find import OURS

HERE = Path(__file__).parent
GAMES = 4096
RUN = """
WebAssembly.instantiate(require("fs").readFileSync(process.argv[1])).then(({ instance: { exports: c } }) => {
  const at = c.rows_play(Number(process.argv[2]));
  console.log(JSON.stringify([...new Uint32Array(c.memory.buffer, at, 8)]));
});
"""


def test_webassembly_steps_4096_pongs_as_this_machine_does() -> None:
    """Hashes of rewards, flags, observations, records and states after equally many steps."""
    options = {"defines": {"ENV_ROWS": 1, "ROWS_GAMES": GAMES}, "include": [OURS]}
    program = compile.program([HERE / "rows.c"], **options)
    module = compile.wasm([HERE / "rows.c"], exports=["rows_play"], memory=32 << 20, **options)
    native = json.loads(subprocess.run([program, "60"], capture_output=True, text=True, check=True).stdout)
    done = subprocess.run(["node", "-e", RUN, str(module), "60"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == native
    assert len(set(native)) == len(native)
    shorter = json.loads(subprocess.run([program, "59"], capture_output=True, text=True, check=True).stdout)
    assert all(a != b for a, b in zip(native[:6], shorter[:6], strict=True))


def test_calls_take_little_stack() -> None:
    """With 4,096 players, with lives, with lanes: no call of the ABI takes more than 8 KB."""
    places = {"crowd": HERE / "games/crowd/crowd.c", "lives": HERE / "games/lives/lives.c"}
    places |= {name: envs.source(name) for name in ("snake", "breakout")}
    for name, place in places.items():
        defines = {"ENV_ROWS": 1, "STACK_ENV": f'"{place}"'}
        program = compile.program([HERE / "env_stack.c"], defines=defines, include=[OURS], flags=["-Wl,-z,now"])
        used = int(subprocess.run([program], capture_output=True, text=True, check=True).stdout)
        assert 100 < used <= 8192, (name, used)
