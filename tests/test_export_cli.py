"""`minnow export` and what `minnow train` leaves, on a run of Pong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from minnow.cinfer import compile, load
from minnow.cli.main import main


@pytest.fixture
def run(pong_run, tmp_path):
    """A copy of the run without what was exported from it."""
    shutil.copytree(pong_run, tmp_path / "run")
    for path in (tmp_path / "run").glob("policy.*"):
        path.unlink()
    return tmp_path / "run"


def test_training_ends_with_a_verified_policy(pong_run, capsys):
    assert {"policy.minnow", "policy.onnx", "policy.parity.safetensors"} <= {path.name for path in pong_run.iterdir()}
    assert main(["verify", str(pong_run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reference"] == "torch" and all(found[name]["max_diff"] <= 1e-5 for name in ("c", "wasm", "onnx"))


def test_export_of_a_run(run, capsys):
    assert main(["export", str(run)]) == 0
    assert "policy.minnow: " in capsys.readouterr().out
    policy = load(run / "policy.minnow")
    assert policy.meta["environment"] == "pong" and policy.meta["steps"] > 0 and policy.meta["source_hash"]
    assert len(policy.meta["observation"]) == policy.inputs[0].shape[0]
    assert policy.meta["action"][0]["labels"] and policy.action.kind == "discrete"
    assert policy.selftest() <= 1e-5


def test_export_of_a_checkpoint(run):
    checkpoint = sorted((run / "checkpoints").glob("*.safetensors"))[0]
    out = run / "first.minnow"
    assert main(["export", str(checkpoint), "-o", str(out)]) == 0
    assert load(out).meta["steps"] <= load_steps(run)


def load_steps(run) -> int:
    from minnow import train

    return train.load(run)[1]["steps"]


def test_export_as_onnx_and_c(run):
    assert main(["export", str(run), "--format", "onnx"]) == 0
    assert main(["export", str(run), "--format", "c", "-o", str(run / "pong.h")]) == 0
    assert {path.name for path in run.glob("p*.*")} == {"policy.onnx", "pong.h"}
    source = run / "main.c"
    source.write_text(
        '#define MINNOW_IMPLEMENTATION\n#include "minnow.h"\n#include "pong.h"\n'
        "int main(void) { return minnow_size(pong_policy, pong_policy_size, NULL) == 0; }\n"
    )
    subprocess.run([compile.program([source], include=[compile.HERE, run])], check=True)


@pytest.mark.parametrize(
    "argv, words",
    [
        (["none"], "none does not exist"),
        (["{run}", "--format", "tflite"], "unknown value of --format 'tflite'"),
        (["{run}", "--fromat", "c"], "--format"),
        (["{run}/policy.minnow", "--format", "onnx"], "ONNX is made from its run"),
    ],
)
def test_bad_arguments(run, argv, words):
    (run / "policy.minnow").write_bytes(b"")
    command = [sys.executable, "-m", "minnow.cli.main", "export", *(word.format(run=run) for word in argv)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode in (1, 2) and words in done.stderr + done.stdout, done.stderr


def test_help_needs_no_torch():
    for verb in ("export", "verify"):
        code = f"from minnow.cli.main import main; main(['{verb}', '--help'])"
        subprocess.run(
            [sys.executable, "-c", f"import sys; {code}; assert 'torch' not in sys.modules"],
            check=True,
            capture_output=True,
        )


def test_export_with_stages(run, tmp_path, capsys):
    """Earlier checkpoints, the first among them, each as a policy file named after its steps; old stages go."""
    out = tmp_path / "web" / "pong.minnow"
    old = tmp_path / "web" / "pong.stages" / "1.minnow"
    old.parent.mkdir(parents=True)
    old.touch()
    assert main(["export", str(run), "--stages", "9", "-o", str(out)]) == 1
    assert "checkpoints before the one it kept; train with a larger --train.checkpoints" in capsys.readouterr().err
    assert main(["export", str(run), "--dtype", "f16", "--stages", "2", "-o", str(out)]) == 0
    steps = sorted(int(path.stem) for path in old.parent.iterdir())
    found = sorted(int(path.stem) for path in (run / "checkpoints").iterdir())
    assert len(steps) == 2 and steps[0] == found[0] and steps[1] in found[1:-1]
    assert [load(old.parent / f"{n}.minnow").meta["steps"] for n in steps] == steps
    checkpoint = str(sorted((run / "checkpoints").iterdir())[0])
    assert main(["export", checkpoint, "--stages", "1"]) == 1
    assert "--stages goes with --format minnow and with a run's folder" in capsys.readouterr().err
