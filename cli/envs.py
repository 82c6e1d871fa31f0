"""`minnow envs`: lists the environments, or describes one from what its C file declares."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from minnow import envs
from minnow.cli import flags

SUMMARY = "list the environments, or describe one"
USAGE = """usage: minnow envs [--json]         all environments
       minnow envs NAME [--json]    one: parameters, controls, observation, action

NAME is an environment's name, or the path of its folder: pong, ./orchard."""


@dataclass
class Flags:
    """List the environments, or describe one."""

    json: bool = False
    """Print one JSON value on standard output."""


def main(argv: list[str]) -> int:
    if argv and argv[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    name = argv.pop(0) if argv and not argv[0].startswith("-") else None
    chosen = flags.parse(Flags, argv, "minnow envs")
    if name is None:
        specs = [envs.spec(each) for each in envs.folders()]
        if chosen.json:
            print(json.dumps([spec.to_json() for spec in specs]))
        else:
            show(listing(specs))
    else:
        spec = envs.spec(name)
        if chosen.json:
            print(json.dumps(spec.to_json()))
        else:
            describe(spec, envs.units(name))
    return 0


def show(*tables: Table) -> None:
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140, highlight=False)
    for table in tables:
        console.print(table)


def table(title: str, *columns: str) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def listing(specs: list[envs.Spec]) -> Table:
    made = table("", "name", "observation", "action", "agents", "ticks", "what it is")
    for spec in specs:
        ticks = f"{spec.tick_rate:g}/s, {spec.action_repeat} a step"
        made.add_row(spec.name, observation(spec), action(spec), str(spec.slots), ticks, spec.description)
    return made


def observation(spec: envs.Spec) -> str:
    several = len(spec.group) > 1
    return ", ".join(f"{group.name} " * several + extent(group) for group in spec.group)


def extent(group: envs.Group) -> str:
    return f"{group.type} {'x'.join(map(str, group.shape))}"


def action(spec: envs.Spec) -> str:
    heads = [f"{head.size} choices" if head.size else f"{head.low:g} to {head.high:g}" for head in spec.head]
    return f"{spec.action_type}: {', '.join(heads)}"


def describe(spec: envs.Spec, units: envs.Units) -> None:
    ticks = f"{spec.tick_rate:g} ticks a second, {spec.action_repeat} a step"
    score = f"{spec.score_name}, {spec.score_low:g} to {spec.score_high:g}"
    print(f"{spec.title} ({spec.name}): {spec.description}\n{ticks}; {spec.slots} players; score: {score}\n")
    params = table("Parameters", "name", "default", "range", "unit", "kind", "scale", "meaning")
    for p in spec.param:
        params.add_row(p.name, f"{p.value:g}", f"{p.low:g} to {p.high:g}", p.unit, p.kind, p.scale, p.doc)
    groups = []
    for group in spec.group:
        name = f" {group.name!r}" if len(spec.group) > 1 else ""
        whose = ", for the critic alone" * group.critic
        seen = table(f"\nObservation{name}, {group.kind}, {extent(group)}{whose}", "field", "range", "unit")
        for field in group.fields:
            seen.add_row(field.name, f"{field.low:g} to {field.high:g}", units.of(field.name))
        groups.append(seen)
    done = table(f"\nAction, {spec.action_type}", "head", "choices", "meaning")
    for head in spec.head:
        asked = units.asked(head.name)
        means = f"{asked.low:g} to {asked.high:g} {asked.unit}, {asked.target}" if asked else ""
        done.add_row(head.name, ", ".join(head.labels) or f"{head.size or f'{head.low:g} to {head.high:g}'}", means)
    keys = table("\nControls", "what", "keys", "gamepad", "touch")
    for control in spec.control:
        keys.add_row(control.label, " ".join(control.keys), " ".join(control.gamepad), control.touch)
    for gesture in spec.gesture:
        keys.add_row(gesture.name, gesture.doc, "", gesture.pointer)
    show(params, *groups, done, keys)
