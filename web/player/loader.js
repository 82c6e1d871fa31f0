/** Fetches what a demo is made of, reporting progress; says in words what went wrong. */

import { thrown } from "./errors.js";

/**
 * @typedef {import("./spec.js").Demo} Demo @typedef {import("./spec.js").Spec} Spec
 * @typedef {import("./stages.js").Stage} Stage
 */

/**
 * @param {URL} url
 * @returns {Promise<Response>}
 */
async function request(url) {
  const name = url.pathname.split("/").pop();
  let response;
  try {
    response = await fetch(url);
  } catch {
    const elsewhere = url.origin !== location.origin;
    const cors = ` Or ${url.origin} does not let this page have it: it must send "Access-Control-Allow-Origin: *", or the demo's folder must be copied to ${location.origin}.`;
    throw new Error(`${name} could not be fetched: the network or the server does not answer.${elsewhere ? cors : ""}`);
  }
  if (!response.ok) throw new Error(`${name} could not be fetched: the server answers ${response.status}.`);
  return response;
}

/**
 * @param {URL} url
 * @param {(bytes: number) => void} [received] called with the size of each piece as it arrives
 */
export async function bytes(url, received = () => {}) {
  const response = await request(url);
  if (!response.body) return new Uint8Array(await response.arrayBuffer());
  const reader = response.body.getReader();
  const pieces = [];
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    pieces.push(piece.value);
    received(piece.value.length);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/**
 * Where the policy lies that plays, and how it is called; null: the script plays.
 *
 * @param {URL | null} own the environment's
 * @param {string} env
 * @param {string | null} chosen an address, relative to the page, or "script"; null: the environment's own
 */
export function choose(own, env, chosen) {
  if (chosen === "script") return null;
  if (chosen === null) return own && { url: own, name: `${env}.minnow` };
  const url = new URL(chosen, document.baseURI);
  return { url, name: url.pathname.split("/").pop() ?? "" };
}

/**
 * All but the policy, which may take longer, and is for the caller to wait for.
 *
 * @param {URL} manifest the site's manifest.json
 * @param {string} env
 * @param {string | null} chosen see `choose`
 * @param {(kilobytes: number) => void} progress
 * @returns {Promise<{parts: Record<string, string>, spec: Spec, module: WebAssembly.Module, whole: URL | null, learn: URL | null, space: typeof import("./space.js") | null, stage: string | null, own: URL | null, onnx: URL | null, policy: Promise<Uint8Array | null>, policyName: string, stages: Stage[]}>}
 */
export async function load(manifest, env, chosen, progress) {
  const { demos, parts = {} } = /** @type {{demos: Record<string, Demo>, parts?: Record<string, string>}} */ (await (await request(manifest)).json());
  if (!Object.hasOwn(demos, env)) throw new Error(`there is no demo "${env}" here; known: ${Object.keys(demos).join(", ")}.`);
  const demo = demos[env];
  let total = 0;
  const received = (/** @type {number} */ size) => progress((total += size) / 1024);
  const own = demo.policy ? new URL(demo.policy, manifest) : null;
  const place = choose(own, env, chosen);
  const policy = place ? bytes(place.url, received) : Promise.resolve(null);
  policy.catch(() => {}); // it is told where it is waited for
  const [spec, module, space] = await Promise.all([
    request(new URL(demo.spec, manifest)).then((response) => response.json()),
    bytes(new URL(demo.wasm, manifest), received).then(compiled),
    demo.space ? import(new URL(demo.space, manifest).href) : null,
  ]);
  const whole = demo.whole ? new URL(demo.whole, manifest) : null;
  const stages = (demo.stages ?? []).map((stage) => ({
    steps: stage.steps,
    fetch: () => bytes(new URL(stage.policy, manifest)),
  }));
  const onnx = demo.onnx && chosen === null ? new URL(demo.onnx, manifest) : null;
  const stage = demo.stage ? new URL(demo.stage, manifest).href : null;
  const learn = demo.learn ? new URL(demo.learn, manifest) : null;
  for (const name of Object.keys(parts)) parts[name] = new URL(parts[name], manifest).href;
  return { parts, spec, module, whole, learn, space, stage, own, onnx, policy, policyName: place?.name ?? "", stages };
}

/** @param {Uint8Array} wasm */
async function compiled(wasm) {
  try {
    return await WebAssembly.compile(wasm);
  } catch (error) {
    throw new Error(`this browser could not compile the game (${thrown(error)}): it takes WebAssembly with SIMD, which browsers have since 2023.`);
  }
}

/**
 * A module alone.
 *
 * @param {URL} url
 */
export const fetchModule = async (url) => compiled(await bytes(url));
