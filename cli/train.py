"""`minnow train ENV`: trains a policy, scores it, exports it and verifies what was exported."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
import os
import secrets
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from minnow import envs
from minnow.cinfer.errors import MinnowError
from minnow.cli import flags
from minnow.train import config as configs
from minnow.train import tracker
from minnow.train.config import Config, DemosConfig, PolicyConfig, SelfPlayConfig, TrainConfig

if TYPE_CHECKING:
    from minnow.train.demos import Demonstration
    from minnow.train.run import Outcome

SUMMARY = "train a policy, export and verify it"
SETTINGS = ("--policy.", "--train.", "--selfplay.", "--demos", "--env.", "--randomize", "--seed", "--steps")
SHARE = 512  # samples of a minibatch, at least, for each of several processes
EPISODES = 200  # of the evaluation after training
WATCHED = 20  # checkpoints, at least, of a run that is watched


@dataclass
class Flags:
    """Train a policy for one environment, score it, export and verify it."""

    policy: PolicyConfig
    train: TrainConfig
    selfplay: SelfPlayConfig
    demos: DemosConfig
    env: Any
    replays: Annotated[tuple[str, ...], tyro.conf.arg(name="demos")] = field(default=(), metadata={"flag": "demos"})
    """Replays to learn from, files or links from a page, of a person, a policy or the script: episodes begin in states
    along them, from their ends backwards (docs/demonstrations.md)."""
    budget: float | None = None
    """Stop after so many seconds of training; a schedule that would not fit is shortened first."""
    steps: int | None = None
    """Agent-steps of the schedule: the same as --train.steps."""
    seed: int | None = None
    """Where every random number comes from; chosen and printed if absent."""
    processes: int | None = None
    """Train in so many processes, each with its share of the environments; if one dies, all go on from the last
    checkpoint. By default one a core while each gets 512 samples of every minibatch; with a GPU, one."""
    randomize: float = 0.0
    """Draw each physics parameter from its nominal +- this fraction at each reset."""
    out: Path | None = None
    """The run's folder (default: runs/ENV/TIME)."""
    config: Path | None = None
    """Take the settings from a run's config.toml, not from ENV's train.toml, and so repeat that run; or, from a file
    like train.toml that names no environment, what it sets over those of ENV."""
    start: Annotated[Path | None, tyro.conf.arg(name="from")] = field(default=None, metadata={"flag": "from"})
    """Begin with the weights of another run, or of a checkpoint, and with its network; all else may differ."""
    keep: configs.Keep = "best"
    """Which checkpoint is scored and exported: the last one, unless an earlier one is better by more than chance; or
    always the last."""
    export: bool = True
    """Export and verify the policy at the end."""
    until_bar: bool = False
    """Train until the environment's bar is reached: go on with a run whose curve still rises, begin again with the next
    seed otherwise, for at most --budget seconds in all, or with three seeds. The best run ends up in --out, unless a
    better one was there; what stays below the bar is not exported, and the exit status is 1."""
    watch: bool = False
    """Open a page on which the newest checkpoint plays while the curves grow (and write at least 20 checkpoints)."""
    track: tracker.Kind = "none"
    """Send the metrics to Weights & Biases or trackio as well (the extra `track` brings both)."""
    port: int = 8001
    """Of that page, on 127.0.0.1."""
    json: bool = False
    """Print one JSON object on standard output."""


@dataclass
class ResumeFlags:
    """Go on with a run from its newest checkpoint, as if it had never stopped."""

    resume: Path
    """The run's folder."""
    processes: int | None = None
    """In so many processes, as many as before or not; by default as a new run."""
    device: str | None = None
    """On another device than before: auto, cpu, cuda or cuda:N."""
    backend: configs.Backend | None = None
    """By another backend than before; see --train.backend."""
    budget: float | None = None
    """Stop after so many seconds of training, counted from the run's beginning."""
    more: int = 0
    """Go on for so many agent-steps beyond the schedule, which becomes that much longer."""
    keep: configs.Keep = "best"
    """Which checkpoint is scored and exported, as in a new run."""
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
        f"environments: {', '.join(envs.names())}; or the path of an environment's folder, such as ./orchard; or one\n"
        "that is not in C: gym:CartPole-v1, gym:MODULE:ID, gym:MODULE:FUNCTION, pettingzoo:MODULE:FUNCTION"
    )


def main(argv: list[str]) -> int:
    """0 once all is done and verified; 128 and the number of the signal if one ended it (crew.ENDING: Ctrl-C, kill,
    ...), a checkpoint being written."""
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    import torch

    from minnow.train import backend, checkpoint, demos, device, group, run, selfplay

    torch.set_num_threads(1)  # processes forked from here would wait for the threads of a pool, which are not forked
    command = shlex.join(["minnow", "train", *argv])
    place = None if argv[0].startswith("-") else envs.place(argv[0])
    rest = argv if place is None else argv[1:]
    if any(word == "--resume" or word.startswith("--resume=") for word in rest):
        for word in rest:
            if word.startswith(SETTINGS):
                raise MinnowError(
                    f"a resumed run keeps its settings: leave out {word}, or start a new run without --resume."
                )
        chosen = flags.parse(ResumeFlags, rest, "minnow train")
        if place is not None:
            _check_env(chosen.resume, place.name)
        file = checkpoint.find(chosen.resume)  # refuses what is no run, once
        config = configs.from_dict(checkpoint.read(file)[1]["config"], str(file))
        config.train.device = chosen.device or config.train.device
        configs.validate(config)
        _check_processes(chosen.processes)
        count = _processes(chosen.processes, config)
        return _worked(count, chosen, functools.partial(_resumed, chosen, command, place))
    if place is None:
        raise MinnowError(f"which environment? minnow train ENV; there are: {', '.join(envs.names())}.")
    name = place.name
    asked, config = settings(place, rest)
    tracker.check(asked.track)
    _check_processes(asked.processes)
    if asked.watch:
        config.train.checkpoints = max(config.train.checkpoints, WATCHED)
    if asked.until_bar and (asked.watch or group.launched()):
        raise MinnowError("--until-bar trains several runs: leave out --watch, and torchrun.")
    if group.launched() and (asked.out is None or asked.seed is None):
        raise MinnowError("under torchrun every process must know the run: give --out and --seed.")
    shown = _shown(asked.replays, config) if asked.replays else []
    count = 1
    if not group.launched():
        configs.check_batch(config, selfplay.sides(config))
        lacks = backend.check(config) if device.chosen(config).type == "cpu" else ""
        count = _processes(asked.processes, config)
        if not asked.until_bar:
            asked.out = asked.out or run.new_folder(config.shelf)
            run.Folder(asked.out).prepare()  # refuses a folder that holds a run
        asked.seed = config.seed
        _say(f"{name}: {config.policy.core} policy, seed {config.seed}, {count} process{'es' * (count > 1)}")
        if lacks:
            _say(f"torch learns, since the core in C does not have {lacks}")
    if shown and asked.out is not None:
        config.demonstrations = str(asked.out / demos.FILE)
        demos.save(asked.out / demos.FILE, envs.spec(place), shown)
    if asked.until_bar:
        return _until_bar(config, asked, command, count)
    work = functools.partial(_trained, config, asked, command)
    work = functools.partial(_worked, count, asked, work)
    return _watched(asked.out, asked.port, work) if asked.watch and asked.out else work()


def _resumed(chosen: ResumeFlags, command: str, place: envs.Place | None) -> Outcome:
    from minnow import train
    from minnow.train import group

    everyone = group.join()
    if everyone.leads:
        _say(f"going on with {chosen.resume}")
    again = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0  # its config.toml knows of more by now
    outcome = train.resume(
        chosen.resume,
        budget=chosen.budget,
        command=command,
        track=chosen.track,
        group=everyone,
        on=chosen.device,
        backend=chosen.backend,
        place=place,
        more=0 if again else chosen.more,
    )
    group.leave()
    return outcome


def _trained(config: Config, chosen: Flags, command: str) -> Outcome:
    """In each process: begins the run, or goes on with it after a restart."""
    from minnow import train
    from minnow.train import checkpoint, group

    everyone = group.join()
    common = {"budget": chosen.budget, "group": everyone, "track": chosen.track, "command": command}
    restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    assert chosen.out is not None  # `main` has found one
    if restarted and checkpoint.all_of(chosen.out):
        if everyone.leads:
            _say(f"a process died: going on with {chosen.out}")
        outcome = train.resume(chosen.out, **common)
    else:
        if restarted and everyone.leads:
            (chosen.out / "config.toml").unlink(missing_ok=True)  # of a beginning that left no checkpoint
        outcome = train.train(config, out=chosen.out, **common)
    group.leave()
    return outcome


def _worked(processes: int, chosen: Flags | ResumeFlags, work: Callable[[], Outcome]) -> int:
    """Trains in so many processes, then scores and exports in this one."""
    from minnow.train import crew, group

    outcome = work() if processes == 1 or group.launched() else crew.together(processes, work)
    leads = not group.launched() or os.environ.get("RANK") == "0"
    return finish(outcome, chosen.export, chosen.json, chosen.keep) if leads else 0


def _shown(replays: tuple[str, ...], config: Config) -> list[Demonstration]:
    """What they show, after saying it."""
    from minnow.cli import demos

    config.demonstrations = replays[0]  # so that what goes with no demonstrations is refused first
    configs.validate(config)
    found, said = demos.read(replays, config)
    for line in said:
        _say(line)
    return found


def _processes(asked: int | None, config: Config) -> int:
    """How many: as asked, or one a core while each has enough of every minibatch to be worth it."""
    from minnow.train import device, group

    if asked is not None:
        group.Group(0, asked).share(config.train.envs)  # refused here, it is said before anything begins
        return asked
    if device.chosen(config).type != "cpu":
        return 1
    if os.environ.get("MINNOW_BUSY"):  # somebody else has the other cores
        return 1
    if isinstance(config.place, envs.Foreign):  # whose environments have processes of their own
        return 1
    most = max(1, min(group.cores(), config.train.minibatch // SHARE))
    return max(count for count in range(1, most + 1) if config.train.envs % count == 0)


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


def settings(env: str | envs.Place, argv: list[str]) -> tuple[Flags, Config]:
    """Flags over the settings of a config.toml or of the train.toml of an environment, its name or its folder."""
    place = envs.place(env)
    name = place.name
    file = flags.value_of("--config", argv)
    base = configs.load(Path(file), configs.defaults(place)) if file else configs.defaults(place)
    if base.name != name:
        raise MinnowError(f"{file} holds a run of {base.name}, not of {name}.")
    spec = envs.spec(place)
    source = flags.value_of("--from", argv)
    if source is not None:
        from minnow.train import checkpoint

        base.start = str(checkpoint.kept(Path(source)))
        base.policy = configs.from_dict(checkpoint.read(Path(base.start))[1]["config"], base.start).policy
    default = Flags(
        policy=base.policy,
        train=base.train,
        selfplay=base.selfplay,
        demos=base.demos,
        env=flags.parameters(spec, base.env),
        seed=base.seed if file else None,
        randomize=base.randomize,
    )
    chosen = flags.parse(Flags, argv, f"minnow train {name}", default)
    schedule = chosen.train if chosen.steps is None else dataclasses.replace(chosen.train, steps=chosen.steps)
    seed = secrets.randbits(32) if chosen.seed is None else chosen.seed
    config = Config(
        name,
        seed,
        chosen.randomize,
        flags.changed(spec, chosen.env),
        chosen.policy,
        schedule,
        chosen.selfplay,
        envs.remember(place),
        base.start,
        chosen.demos,
        base.demonstrations,
    )
    configs.validate(config)
    return chosen, config


def finish(outcome: Outcome, export: bool, as_json: bool, keep: configs.Keep = "best") -> int:
    """Chooses the checkpoint to keep, scores, exports and verifies what training left, and says where everything is."""
    if outcome.signal:
        return _interrupted(outcome)
    judged = judge(outcome, keep)
    return ship(judged.result, [judged.score], outcome.run, export, as_json)


def _interrupted(outcome: Outcome) -> int:
    _say(f"interrupted after {outcome.steps:,} steps; to go on: minnow train --resume {outcome.run}")
    return 128 + outcome.signal


@dataclass
class Judged:
    """A run that has ended: what there is to tell of it, and whether its curve still rose."""

    result: dict[str, Any]
    score: str
    rising: bool


def judge(outcome: Outcome, keep: configs.Keep) -> Judged:
    """Chooses the checkpoint to keep, scores it and says so; and where it is below the bar, why that may be."""
    import torch

    from minnow.train import best, checkpoint, diagnosis, evaluation, run

    why = {"budget": "the budget is spent", "schedule": "the schedule is complete", "stop": "stopped as asked"}
    _say(f"trained for {outcome.steps:,} steps in {outcome.seconds:.1f} s: {why[outcome.ended]}")
    place = checkpoint.place(checkpoint.load(outcome.checkpoint)[1])
    bar = configs.bar(place)
    choice = best.choose(outcome.run, bar.key if bar else "score_mean", keep)
    for line in choice.said:
        _say(line)
    policy, meta = checkpoint.load(choice.path)
    torch.set_num_threads(meta["config"]["train"]["threads"])
    score = evaluation.evaluate(evaluation.TorchPlayer(policy), place, evaluation.enough(place, EPISODES))
    if meta["config"]["env"]:
        _say("scoring with the environment's default parameters, not those of training")
    told = score.to_dict()
    figures = {key: told[key] for key in ("score_mean", "score_ci95", "success_rate", "episodes") if key in told}
    run.record(outcome.run, figures | {"kept": meta["steps"]})
    result = {
        "run": str(outcome.run),
        "checkpoint": str(choice.path),
        "kept": meta["steps"],
        "seed": meta["seed"],
        "steps": outcome.steps,
        "seconds": outcome.seconds,
        "steps_per_second": outcome.steps / outcome.seconds,
        "ended": outcome.ended,
    } | told
    found: list[diagnosis.Finding] = []
    if bar:
        _say(bar.words(result))
        result |= {"bar": {bar.key: bar.least}, "reached": bar.reached(result)}
        if not result["reached"]:
            seen = None if meta["config"]["selfplay"]["on"] else bar
            found = diagnosis.of_run(outcome.run, seen, policy.space)
            result["diagnosis"] = [finding.words for finding in found]
            for finding in found:
                _say(f"  {finding.words}")
    return Judged(result, str(score), any(finding.kind == "rising" for finding in found))


def ship(result: dict[str, Any], lines: list[str], folder: Path, export: bool, as_json: bool) -> int:
    """Exports and verifies what the run in a folder kept, and prints what there is to tell."""
    passed = True
    if export:
        from minnow.cli.export import export_run
        from minnow.cli.verify import lines as words
        from minnow.export.verify import verify

        _say("exporting and verifying")
        report = export_run(folder)
        verdict = verify(report.path)
        passed = verdict.passed()
        lines += [report.line(), *words(verdict, passed)]
        result |= {"policy": str(report.path), "verified": passed, "differences": verdict.to_dict()}
    print(json.dumps(result) if as_json else "\n".join(lines))
    return 0 if passed else 1


def _until_bar(config: Config, asked: Flags, command: str, count: int) -> int:
    """Trains until the bar is reached, in so many processes; exports only what has reached it."""
    import torch

    from minnow.train import crew, run, until

    bar, out = configs.needed_bar(config.place), asked.out
    if out is None:
        out = run.new_folder(config.shelf)
    judged: dict[Path, Judged] = {}
    ended: list[Outcome] = []

    def trained(work: Callable[[], Outcome]) -> until.Try:
        torch.set_num_threads(1)  # as in `main`
        outcome = work() if count == 1 else crew.together(count, work)
        ended.append(outcome)
        if outcome.signal:
            return until.Try(outcome.run, config.seed, outcome.seconds, -math.inf, rising=False, interrupted=True)
        found = judged[outcome.run] = judge(outcome, asked.keep)
        return until.Try(outcome.run, found.result["seed"], outcome.seconds, found.result[bar.key], found.rising)

    def begin(folder: Path, seed: int, budget: float | None) -> until.Try:
        run.Folder(folder).prepare()
        _say(f"seed {seed}, in {folder}")
        settings = dataclasses.replace(asked, out=folder, budget=budget)
        return trained(functools.partial(_trained, dataclasses.replace(config, seed=seed), settings, command))

    def go_on(done: until.Try, budget: float | None) -> until.Try:
        more = judged[done.run].result["steps"]
        chosen = ResumeFlags(done.run, budget=budget, more=more, keep=asked.keep, track=asked.track)
        return trained(functools.partial(_resumed, chosen, command, config.place))

    before = until.standing(out, bar.key, envs.spec(config.place).source_hash)
    end = until.train(begin, go_on, bar, out, before, config.seed, asked.budget, _say)
    if end.interrupted:
        return _interrupted(ended[-1])
    if end.best is None:  # what was there before has stayed
        result: dict[str, Any] = {"run": str(out), bar.key: end.figure, "bar": {bar.key: bar.least}}
        lines = [f"{out}: {bar.words(result)}"]
    else:
        told = judged[end.trained_in]
        place = out / "checkpoints" / Path(told.result["checkpoint"]).name
        result, lines = told.result | {"run": str(out), "checkpoint": str(place)}, [told.score]
    result["reached"] = end.reached
    if not end.reached:
        _say(f"the bar was not reached, so nothing is exported; to export it all the same: minnow export {out}")
    status = ship(result, lines, out, asked.export and end.reached, asked.json)
    return status if end.reached else 1


def _check_processes(count: int | None) -> None:
    if count is not None and not 1 <= count <= 1024:
        raise MinnowError(f"--processes is {count}, outside 1 .. 1024.")


def _check_env(path: Path, name: str) -> None:
    from minnow.train import checkpoint

    file = checkpoint.find(path)
    found = checkpoint.read(file)[1]["config"]["name"]
    if found != name:
        raise MinnowError(f"{file} is a checkpoint of {found}, not of {name}.")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # of a terminal that has closed
        print(text, file=sys.stderr)
