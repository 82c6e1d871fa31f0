"""`minnow train ENV`: trains a policy, scores it, exports it and verifies what was exported."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minnow import envs
from minnow.cinfer.errors import MinnowError, unknown
from minnow.cinfer.files import write_atomic
from minnow.cli import flags
from minnow.train import config as configs
from minnow.train import tracker
from minnow.train.config import Config, PolicyConfig, SelfPlayConfig, TrainConfig

SUMMARY = "train a policy, export and verify it"
SETTINGS = ("--policy.", "--train.", "--selfplay.", "--env.", "--randomize", "--seed", "--steps")
STATUS = "MINNOW_STATUS"  # the environment's word for the file that receives the exit status of several processes
# torchrun, without its own traces for what a process has said already.
TORCHRUN = """
import sys
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main
try:
    main()
except (ChildFailedError, SignalException):
    sys.exit(1)
"""
RESTARTS = 3  # of a run whose processes die
EPISODES = 200  # of the evaluation after training
WATCHED = 20  # checkpoints, at least, of a run that is watched


@dataclass
class Flags:
    """Train a policy for one environment, score it, export and verify it."""

    policy: PolicyConfig
    train: TrainConfig
    selfplay: SelfPlayConfig
    env: Any
    budget: float | None = None
    """Stop after so many seconds of training; a schedule that would not fit is shortened first."""
    steps: int | None = None
    """Agent-steps of the schedule: the same as --train.steps."""
    seed: int | None = None
    """Where every random number comes from; chosen and printed if absent."""
    processes: int = 1
    """Train in so many processes, each with its share of the environments; if one dies, all go on from the last
    checkpoint."""
    randomize: float = 0.0
    """Draw each physics parameter from its nominal +- this fraction at each reset."""
    out: Path | None = None
    """The run's folder (default: runs/ENV/TIME)."""
    config: Path | None = None
    """Take the settings from a run's config.toml, not from ENV's train.toml, and so repeat that run."""
    export: bool = True
    """Export and verify the policy at the end."""
    watch: bool = False
    """Open a page on which the newest checkpoint plays while the curves grow (and write at least 20 checkpoints)."""
    track: tracker.Kind = "none"
    """Send the metrics to Weights & Biases or trackio as well (pip install wandb, or trackio)."""
    port: int = 8001
    """Of that page, on 127.0.0.1."""
    json: bool = False
    """Print one JSON object on standard output."""


@dataclass
class ResumeFlags:
    """Go on with a run from its newest checkpoint, as if it had never stopped."""

    resume: Path
    """The run's folder."""
    processes: int = 1
    """In so many processes, as many as before or not."""
    device: str | None = None
    """On another device than before: auto, cpu, cuda or cuda:N."""
    budget: float | None = None
    """Stop after so many seconds of training, counted from the run's beginning."""
    export: bool = True
    """Export and verify the policy at the end."""
    track: tracker.Kind = "none"
    """Send the metrics to Weights & Biases or trackio as well."""
    json: bool = False
    """Print one JSON object on standard output."""


def usage() -> str:
    return (
        "usage: minnow train ENV [options]           minnow train ENV --help lists them, with ENV's defaults\n"
        "       minnow train --resume runs/ENV/ID    goes on with an interrupted run\n\n"
        f"environments: {', '.join(envs.names())}"
    )


def main(argv: list[str]) -> int:
    """0 once all is done and verified; 130 or 143 if interrupted by Ctrl-C or SIGTERM, a checkpoint being written."""
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    from minnow.train import checkpoint, group, run

    command = shlex.join(["minnow", "train", *argv])
    name = None if argv[0].startswith("-") else argv[0]
    rest = argv if name is None else argv[1:]
    if name is not None and name not in envs.names():
        raise unknown("environment", name, envs.names())
    if any(word == "--resume" or word.startswith("--resume=") for word in rest):
        for word in rest:
            if word.startswith(SETTINGS):
                raise MinnowError(
                    f"a resumed run keeps its settings: leave out {word}, or start a new run without --resume."
                )
        chosen = flags.parse(ResumeFlags, rest, "minnow train")
        if name is not None:
            _check_env(chosen.resume, name)
        _check_processes(chosen.processes)
        if chosen.processes > 1 and not group.launched():
            checkpoint.find(chosen.resume)  # refuses what is no run, once
            return _torchrun(argv, chosen.processes, 1)
        if group.launched():
            return _reported(functools.partial(_resumed, chosen, command))
        return _resumed(chosen, command)
    if name is None:
        raise MinnowError(f"which environment? minnow train ENV; there are: {', '.join(envs.names())}.")
    asked, config = settings(name, rest)
    tracker.check(asked.track)
    _check_processes(asked.processes)
    if asked.watch:
        config.train.checkpoints = max(config.train.checkpoints, WATCHED)
    if group.launched():
        return _reported(functools.partial(_together, config, asked, command))
    _say(f"{name}: {config.policy.core} policy, seed {config.seed}")
    out = asked.out or run.new_folder(name)
    if asked.processes > 1:
        work = functools.partial(_launch, config, asked, argv, out)
    else:
        work = functools.partial(_alone, config, asked, command, out)
    return _watched(out, asked.port, work) if asked.watch else work()


def _resumed(chosen: ResumeFlags, command: str) -> int:
    from minnow import train
    from minnow.train import group

    everyone = group.join()
    if everyone.leads:
        _say(f"going on with {chosen.resume}")
    outcome = train.resume(
        chosen.resume, budget=chosen.budget, command=command, track=chosen.track, group=everyone, on=chosen.device
    )
    group.leave()
    return finish(outcome, chosen.export, chosen.json) if everyone.leads else 0


def _alone(config: Config, chosen: Flags, command: str, out: Path) -> int:
    from minnow import train

    outcome = train.train(config, out=out, budget=chosen.budget, command=command, track=chosen.track)
    return finish(outcome, chosen.export, chosen.json)


def _launch(config: Config, chosen: Flags, argv: list[str], out: Path) -> int:
    """Starts the same command in `--processes` processes by torchrun, on this machine."""
    from minnow.train import group, run
    from minnow.train.selfplay import sides

    # Refused here, what is wrong is said once and not by every process.
    group.Group(0, chosen.processes).share(config.train.envs)
    configs.check_batch(config, sides(config))
    run.Folder(out).create()  # refuses a folder that holds a run
    again = [*argv, "--seed", str(config.seed), "--out", str(out)]
    return _torchrun(again, chosen.processes, config.train.threads)


def _torchrun(argv: list[str], processes: int, threads: int) -> int:
    """`minnow train` with these words in so many processes; a signal is handed on to them."""
    from minnow.train import run

    flags = ["--standalone", "--nproc-per-node", str(processes), "--max-restarts", str(RESTARTS)]
    command = [sys.executable, "-c", TORCHRUN, *flags, "-m", "minnow.cli.main", "train", *argv]
    with tempfile.TemporaryDirectory() as folder:
        end = Path(folder) / "status"
        said = {"OMP_NUM_THREADS": str(threads)} | os.environ | {STATUS: str(end)}  # torchrun warns without the first
        # In a session of its own, so that Ctrl-C comes once, from here: a second one would not let it save.
        process = subprocess.Popen(command, env=said, start_new_session=True)
        told = False
        try:
            with run.signals() as caught:
                while process.poll() is None:
                    if caught and not told:
                        process.send_signal(caught[0])
                        told = True
                    if end.exists() and end.read_text() != "0":  # the others wait for one that is gone
                        process.terminate()
                    time.sleep(0.05)
        finally:
            process.terminate()
            process.wait()
        if caught:
            return 128 + caught[0]
        return int(end.read_text()) if end.exists() else process.returncode


def _reported(work: Callable[[], int]) -> int:
    """In a process that torchrun started: does the work. That it ended, well or by a fault that a person must mend, the
    first process tells the command that started all, since torchrun would try again what can only fail again."""
    end = os.environ.get(STATUS)
    if end is None:  # torchrun was started by hand
        return work()
    first = os.environ.get("RANK") == "0"
    try:
        status = work()
    except MinnowError as error:
        if first:
            _say(f"minnow: error: {error}")
        status = 1
    except RuntimeError:
        if first or not Path(end).exists():
            raise
        return 0  # the first one is gone, and said why
    if first:
        write_atomic(Path(end), str(status).encode())
    return 0


def _together(config: Config, chosen: Flags, command: str) -> int:
    """One of the processes that torchrun started: begins the run, or goes on with it after a restart."""
    from minnow import train
    from minnow.train import checkpoint, group

    if chosen.out is None or chosen.seed is None:
        raise MinnowError("under torchrun every process must know the run: give --out and --seed.")
    everyone = group.join()
    common = {"budget": chosen.budget, "group": everyone, "track": chosen.track}
    restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    if restarted and checkpoint.all_of(chosen.out):
        if everyone.leads:
            _say(f"a process died: going on with {chosen.out}")
        outcome = train.resume(chosen.out, command=command, **common)
    else:
        if restarted and everyone.leads:
            (chosen.out / "config.toml").unlink(missing_ok=True)  # of a beginning that left no checkpoint
        outcome = train.train(config, out=chosen.out, command=command, **common)
    group.leave()
    return finish(outcome, chosen.export, chosen.json) if everyone.leads else 0


def _watched(out: Path, port: int, work: Callable[[], int]) -> int:
    """Trains beside a page that shows it; on a terminal the page stays until Ctrl-C."""
    from minnow.cli import watch

    page = watch.beside(out, port)
    try:
        status = work()
        if sys.stdin.isatty() and page.poll() is None:
            _say("the page stays open: Ctrl-C ends it")
            page.wait()
        return status
    finally:
        page.terminate()
        page.wait()


def settings(name: str, argv: list[str]) -> tuple[Flags, Config]:
    """Flags over the settings of a config.toml or of the environment's train.toml."""
    file = flags.value_of("--config", argv)
    base = configs.load(Path(file)) if file else configs.defaults(name)
    if base.name != name:
        raise MinnowError(f"{file} holds a run of {base.name}, not of {name}.")
    spec = envs.spec(name)
    default = Flags(
        policy=base.policy,
        train=base.train,
        selfplay=base.selfplay,
        env=flags.parameters(spec, base.env),
        seed=base.seed if file else None,
        randomize=base.randomize,
    )
    chosen = flags.parse(Flags, argv, f"minnow train {name}", default)
    schedule = chosen.train if chosen.steps is None else dataclasses.replace(chosen.train, steps=chosen.steps)
    seed = secrets.randbits(32) if chosen.seed is None else chosen.seed
    config = Config(
        name, seed, chosen.randomize, flags.changed(spec, chosen.env), chosen.policy, schedule, chosen.selfplay
    )
    configs.validate(config)
    return chosen, config


def finish(outcome: Any, export: bool, as_json: bool) -> int:
    """Scores, exports and verifies what training left, and says where everything is."""
    from minnow.train import checkpoint, evaluation, run

    if outcome.signal:
        _say(f"interrupted after {outcome.steps:,} steps; to go on: minnow train --resume {outcome.run}")
        return 128 + outcome.signal
    why = {"budget": "the budget is spent", "schedule": "the schedule is complete", "stop": "stopped as asked"}
    _say(f"trained for {outcome.steps:,} steps in {outcome.seconds:.1f} s: {why[outcome.ended]}")
    policy, meta = checkpoint.load(outcome.checkpoint)
    score = evaluation.evaluate(evaluation.TorchPlayer(policy), meta["env"], EPISODES)
    if meta["config"]["env"]:
        _say("scoring with the environment's default parameters, not those of training")
    run.record(
        outcome.run, {"score_mean": score.score_mean, "score_ci95": score.score_ci95, "episodes": score.episodes}
    )
    result = {
        "run": str(outcome.run),
        "checkpoint": str(outcome.checkpoint),
        "seed": meta["seed"],
        "steps": outcome.steps,
        "seconds": outcome.seconds,
        "steps_per_second": outcome.steps / outcome.seconds,
        "ended": outcome.ended,
    } | score.to_dict()
    lines, passed = [str(score)], True
    if export:
        from minnow.cli.export import export_run
        from minnow.cli.verify import lines as words
        from minnow.export.verify import verify

        _say("exporting and verifying")
        report = export_run(outcome.run)
        verdict = verify(report.path)
        passed = verdict.passed()
        lines += [report.line(), *words(verdict, passed)]
        result |= {"policy": str(report.path), "verified": passed, "differences": verdict.to_dict()}
    print(json.dumps(result) if as_json else "\n".join(lines))
    return 0 if passed else 1


def _check_processes(count: int) -> None:
    if not 1 <= count <= 1024:
        raise MinnowError(f"--processes is {count}, outside 1 .. 1024.")


def _check_env(path: Path, name: str) -> None:
    from minnow.train import checkpoint

    file = checkpoint.find(path)
    found = checkpoint.read(file)[1]["config"]["name"]
    if found != name:
        raise MinnowError(f"{file} is a checkpoint of {found}, not of {name}.")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
