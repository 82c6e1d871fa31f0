/** The worker that plays the hidden episodes: see protocol.js. */

import { thrown } from "../errors.js";
import { Game } from "../game.js";
import { Measure } from "./measure.js";

/** @typedef {import("./protocol.js").Order} Order @typedef {import("./protocol.js").News} News */

const SLICE = 30; // ms of playing between two looks at what it is told
const TELL = 100; // ms between two reports
const worker = /** @type {{onmessage: unknown, postMessage(news: News): void}} */ (/** @type {unknown} */ (self));
/** @type {Game | null} */
let game = null;
/** @type {Measure | null} */
let measure = null;
let [number, told] = [0, 0];
let [going, pending] = [false, false]; // whether to play on, and whether the next slice is due
const pulse = new MessageChannel(); // sooner than a timer

/** @param {() => unknown} work whose failure is told in words */
async function tried(work) {
  try {
    await work();
  } catch (error) {
    measure = null;
    worker.postMessage({ told: "fault", words: thrown(error) });
  }
}

function go() {
  going = true;
  if (pending) return;
  pending = true;
  pulse.port2.postMessage(0);
}

pulse.port1.onmessage = () =>
  tried(() => {
    pending = false;
    if (!measure || !going) return;
    measure.advance(SLICE);
    const { sums, ended } = measure;
    if (ended || performance.now() - told > TELL) {
      told = performance.now();
      worker.postMessage({ told: "sums", number, sums, ended });
    }
    if (ended) going = false;
    else go();
  });

/** One order after another, though to open takes a while. */
let obeyed = Promise.resolve();
worker.onmessage = (/** @type {MessageEvent<Order>} */ { data: order }) => (obeyed = obeyed.then(() => tried(() => obey(order))));

/** @param {Order} order */
async function obey(order) {
  if (order.do === "open") {
    measure = null;
    game = await Game.create(order.module, order.spec, order.files);
  } else if (order.do === "rest") {
    going = false;
  } else {
    if (order.do === "measure" && game) {
      measure = new Measure(game, order.setting, order.most);
      number = order.number;
    }
    go();
  }
}
