/** Films of the last seconds: GIF, by our own writer, and whatever the browser itself records. */

import { Gif, palette } from "./gif.js";

/** @typedef {import("./reel.js").Reel} Reel @typedef {(share: number) => void} Progress called with how much is done, 0 to 1 */

const HOLD = 500; // ms for which a video's last picture stays: encoders lag
const SAMPLES = 16; // pictures from which the palette is made
const TYPES = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];

/** The end of this task: the page answers meanwhile. */
const pause = () => new Promise((resolve) => setTimeout(resolve));

/**
 * @param {Reel} reel
 * @param {Progress} progress
 */
export async function gif(reel, progress) {
  const samples = [];
  for (let i = 0; i < Math.min(SAMPLES, reel.count); i += 1) {
    reel.draw(Math.round((i * reel.count) / SAMPLES));
    samples.push(reel.pixels);
    await pause();
  }
  const file = new Gif(reel.width, reel.height, palette(samples));
  for (let i = 0; i <= reel.count; i += 1) {
    reel.draw(i);
    file.frame(reel.pixels, Math.round((100 * (i + 1)) / reel.rate) - Math.round((100 * i) / reel.rate));
    progress(i / reel.count);
    await pause();
  }
  return file.blob();
}

/** What this browser can record; undefined: nothing. */
export const recorded = () => TYPES.find((type) => globalThis.MediaRecorder?.isTypeSupported(type));

/**
 * A film, made in as long as it lasts.
 *
 * @param {Reel} reel
 * @param {Progress} progress
 */
export async function video(reel, progress) {
  const type = recorded();
  if (!type) throw new Error("this browser cannot record videos: make a GIF.");
  const stream = reel.element.captureStream(reel.rate);
  const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 4e6 });
  /** @type {Blob[]} */
  const pieces = [];
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  const ended = new Promise((resolve, reject) => {
    recorder.onstop = resolve;
    recorder.onerror = () => reject(new Error("the browser could not record this video: make a GIF."));
  });
  recorder.start();
  const begun = performance.now();
  for (let i = 0; i <= reel.count; i += 1) {
    reel.draw(i);
    progress(i / reel.count);
    await new Promise((resolve) => setTimeout(resolve, begun + ((i + 1) * 1000) / reel.rate - performance.now()));
  }
  await new Promise((resolve) => setTimeout(resolve, HOLD));
  recorder.stop();
  for (const track of stream.getTracks()) track.stop();
  await ended;
  return new Blob(pieces, { type: type.split(";")[0] });
}
