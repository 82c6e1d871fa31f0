"""Rows without threads or a C library: in WebAssembly as natively, and on little stack."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np

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
    """With 4,096 players, with 32,768 choices, with lives, with lanes: no call of the ABI takes more than 8 KB."""
    places = {name: HERE / "games" / name / f"{name}.c" for name in ("crowd", "wide", "lives")}
    places |= {name: envs.source(name) for name in ("snake", "breakout")}
    for name, place in places.items():
        defines = {"ENV_ROWS": 1, "STACK_ENV": f'"{place}"'}
        program = compile.program([HERE / "env_stack.c"], defines=defines, include=[OURS], flags=["-Wl,-z,now"])
        used = int(subprocess.run([program], capture_output=True, text=True, check=True).stdout)
        assert 100 < used <= 8192, (name, used)


def test_no_forbidden_choice_reaches_a_game_of_many() -> None:
    vector = envs.Vector(HERE / "games/wide", 3, seed=0)
    b = vector.buffers()
    vector.reset(b)
    assert b.mask.shape == (3 * 64, 8 * 4096) and (b.mask[:, ::2] == 1).all() and not b.mask[:, 1::2].any()
    b.action[:] = np.random.default_rng(0).integers(0, 4096, b.action.shape)
    assert (b.action % 2).any()
    vector.step(b)
    assert not b.reward.any()
