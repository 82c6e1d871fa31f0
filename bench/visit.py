"""`minnow bench visit`: what a page does beside its picture: hidden episodes, going back in time, and rest; how long it
is busy at a time, and what it keeps in memory."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from minnow import envs
from minnow.bench import Measured, Say
from minnow.bench.page import shown

BARS = {"pong": 200_000.0, "snake": 1_500.0}  # ticks a second of hidden episodes, at least
LONGEST = 100.0  # ms until a tick of the past is shown
TASK = 50.0  # ms that a page may be busy at a time
MEMORY = 64.0  # MB
SPEEDS = (1, 64)
METER = """async (seconds) => {
  const count = (ms) => new Promise((done) => {
    let frames = 0;
    const begun = performance.now();
    const beat = () => {
      const passed = performance.now() - begun;
      if (passed > ms) return done((1000 * frames) / passed);
      frames += 1;
      requestAnimationFrame(beat);
    };
    requestAnimationFrame(beat);
  });
  const frames = await count(1000 * seconds);
  const { ticks, seconds: played, episodes } = window.sums;
  return { frames, ticks: ticks / played, episodes };
}"""
SCRUB = """async ([ticks, jumps]) => {
  const demo = document.querySelector("minnow-demo"), { game, store, spec } = demo;
  demo.pause();
  const begun = performance.now();
  for (let i = 0; i < ticks; i += 1) {
    game.tick();
    if (i % 1000 === 0) await new Promise((done) => setTimeout(done));
  }
  const played = performance.now() - begun, took = [];
  for (let i = 1; i <= jumps; i += 1) {
    const to = Math.floor(((i * 0.6180339887) % 1) * ticks), at = performance.now();
    store.seek(to);
    game.draw(store.shown, spec.view_width / spec.view_height);
    took.push(performance.now() - at);
    await new Promise(requestAnimationFrame);
  }
  return { took, played };
}"""
REST = """async (ms) => {
  const demo = document.querySelector("minnow-demo");
  demo.pause();
  await new Promise((done) => setTimeout(done, 1500));
  const plain = window.requestAnimationFrame;
  let asked = 0;
  window.requestAnimationFrame = (call) => ((asked += 1), plain(call));
  await new Promise((done) => setTimeout(done, ms));
  window.requestAnimationFrame = plain;
  return asked;
}"""
BUSY = """async ([speed, seconds]) => {
  const { store, game } = document.querySelector("minnow-demo");
  store.setSpeed(speed);
  store.play();
  await new Promise((done) => setTimeout(done, 500));
  let longest = 0, heap = 0;
  const note = (list) => list.getEntries().forEach(({ duration }) => (longest = Math.max(longest, duration)));
  const observer = new PerformanceObserver(note);
  observer.observe({ entryTypes: ["longtask"] });
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    await new Promise((done) => setTimeout(done, 100));
    heap = Math.max(heap, performance.memory.totalJSHeapSize + game.core.memory.buffer.byteLength);
  }
  note({ getEntries: () => observer.takeRecords() });
  observer.disconnect();
  store.setSpeed(1);
  return [longest, heap];
}"""
LISTEN = """
const Plain = window.Worker;
window.Worker = class extends Plain {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => { if (data.told === "sums") window.sums = data.sums; });
  }
};
"""


@dataclass
class Options:
    """Open an environment's page in Chromium and measure: ticks a second of the robustness meter's worker, and frames
    of the page meanwhile; its longest task while it plays at 1x and at 64x (0: none above 50 ms), and what its scripts
    and its game keep in memory then; milliseconds until any of the last ticks is there again; frames that a paused page
    asks for."""

    env: str
    """The environment."""
    seconds: float = 5.0
    """How long the meter is watched."""
    ticks: int = 100_000
    """How many are played, to go back to."""
    jumps: int = 100
    """To how many of them."""


def measure(options: Options, say: Say) -> Measured:
    """Passed if hidden episodes are as fast as they should be (for Pong and Snake), no task took more than 50 ms, there
    were at most 64 MB, each jump took at most 100 ms, and a page at rest asks for no frame."""
    place = envs.folder(options.env)
    with shown(place) as (browser, address):
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(LISTEN)
        page.goto(address)
        page.evaluate("document.querySelector('minnow-demo').ready")
        page.get_by_text("How robust it is").click()
        while not page.evaluate("window.sums?.ticks > 0"):  # the page's policy refuses Playwright's own way of waiting
            page.wait_for_timeout(50)
        found: dict[str, Any] = {"env": place.name} | page.evaluate(METER, options.seconds)
        page.get_by_text("How robust it is").click()
        say(f"{found['ticks']:,.0f} hidden ticks a second, {found['frames']:.1f} frames a second meanwhile")
        busy = [page.evaluate(BUSY, [speed, options.seconds]) for speed in SPEEDS]
        found |= {f"longest_task_ms_{speed}x": longest for speed, (longest, _) in zip(SPEEDS, busy, strict=True)}
        found["memory_mb"] = max(heap for _, heap in busy) / 2**20
        tasks = ", ".join(f"{longest:.0f} ms at {speed}x" for speed, (longest, _) in zip(SPEEDS, busy, strict=True))
        say(f"longest task: {tasks}; {found['memory_mb']:.1f} MB of scripts and game")
        made = page.evaluate(SCRUB, [options.ticks, options.jumps])
        found |= {"jump_ms_median": statistics.median(made["took"]), "jump_ms_worst": max(made["took"])}
        jumps = f"{found['jump_ms_median']:.1f} ms, {found['jump_ms_worst']:.1f} at most"
        say(f"jumps among {options.ticks:,} ticks: {jumps}")
        found["frames_at_rest"] = page.evaluate(REST, 2000)
        say(f"{found['frames_at_rest']} frames in two seconds of rest")
    fast = found["ticks"] >= BARS.get(place.name, 0.0) and found["jump_ms_worst"] <= LONGEST
    smooth = max(longest for longest, _ in busy) <= TASK and found["memory_mb"] <= MEMORY
    return Measured([found], fast and smooth and found["frames_at_rest"] == 0)
