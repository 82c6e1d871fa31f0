/** The worker that learns: see protocol.js for what it is told, and what it tells. */

import { thrown } from "../errors.js";
import { Run } from "./run.js";

/** @typedef {import("./protocol.js").Order} Order @typedef {import("./protocol.js").News} News */

const SLICE = 30; // ms of learning between two looks at what it is told
const worker = /** @type {{onmessage: unknown, postMessage(news: News, transfer?: Transferable[]): void}} */ (/** @type {unknown} */ (self));
/** @type {Run | null} */
let run = null;
let going = false;
const pulse = new MessageChannel(); // sooner than a timer

/** @param {News} news */
function tell(news) {
  worker.postMessage(news, news.told === "file" ? [news.bytes.buffer] : []);
}

/** @param {() => unknown} work whose failure is told in words */
async function tried(work) {
  try {
    await work();
  } catch (error) {
    going = false;
    tell({ told: "fault", words: thrown(error) });
  }
}

pulse.port1.onmessage = () =>
  tried(() => {
    if (!run || !going) return;
    const end = performance.now() + SLICE;
    do going = run.advance();
    while (going && performance.now() < end);
    if (going) pulse.port2.postMessage(0);
  });

/** One order after another, though to begin takes a while. */
let obeyed = Promise.resolve();
worker.onmessage = (/** @type {MessageEvent<Order>} */ { data: order }) => (obeyed = obeyed.then(() => tried(() => obey(order))));

/** @param {Order} order */
async function obey(order) {
  if (order.do === "begin") {
    going = false;
    run = await Run.begin(order, tell);
  } else if (!run) {
    throw new Error("there is nothing to go on with: press Start.");
  } else if (order.do === "go") {
    if (!going) pulse.port2.postMessage(0);
    going = true;
    run.go();
  } else if (order.do === "rest") {
    going = false;
    run.rest();
  } else if (order.do === "turn") {
    run.turn(order.param, order.value);
  } else {
    tell({ told: "compared", seed: order.seed, ...(await run.compare(order)) });
  }
}
