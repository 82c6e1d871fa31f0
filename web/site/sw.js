/**
 * The service worker: after the first visit the whole site works without the network.
 *
 * Files below assets/ carry their hash in their name, so the cache is as good as the server. Pages and the manifest
 * come from the server while it answers. The build puts the site's version in front, so that a new site installs anew.
 * What few visits need is kept once a page has used it: three.js, without which pages draw flat faces, and ONNX files.
 */

/**
 * @typedef {Event & {waitUntil: (work: Promise<unknown>) => void}} LifeEvent
 * @typedef {Event & {request: Request, respondWith: (answer: Promise<Response>) => void}} FetchEvent
 * @typedef {MessageEvent & LifeEvent} Told addresses that a page has used
 */
const worker = /** @type {any} */ (self);
const LEFT = /\/stage-|-whole-|\.onnx$|-card-|sitemap/;
const scope = /** @type {string} */ (worker.registration.scope);

async function install() {
  const manifest = await (await fetch("manifest.json", { cache: "no-cache" })).json();
  const cache = await caches.open(`${scope} ${manifest.version}`);
  const wanted = Object.keys(manifest.files).filter((address) => !LEFT.test(address));
  for (const address of ["./", "manifest.json", ...wanted]) await cache.add(address); // one by one, behind what the visitor waits for
  await worker.skipWaiting();
  for (const name of await caches.keys()) {
    if (name.startsWith(`${scope} `) && name !== `${scope} ${manifest.version}`) await caches.delete(name);
  }
}

/**
 * Whether an address never changes what it holds.
 *
 * @param {string} url
 */
const lasting = (url) => url.startsWith(`${scope}assets/`);

/**
 * @param {string | Request} address
 * @param {Response} response
 */
async function keep(address, response) {
  const name = (await caches.keys()).find((each) => each.startsWith(`${scope} `));
  if (name && response.ok) await (await caches.open(name)).put(address, response);
}

/** @param {string} url that a page has used before this worker could see it */
async function used(url) {
  if (lasting(url) && !(await caches.match(url))) await keep(url, await fetch(url));
}

/**
 * @param {FetchEvent} event
 * @returns {Promise<Response>}
 */
async function answer({ request }) {
  const stored = await caches.match(request, { ignoreSearch: true });
  if (stored && lasting(request.url)) return stored;
  try {
    const response = await fetch(request);
    if (lasting(request.url)) void keep(request, response.clone()).catch(() => {});
    return response;
  } catch (error) {
    if (stored) return stored;
    throw error;
  }
}

worker.addEventListener("install", (/** @type {LifeEvent} */ event) => event.waitUntil(install()));
worker.addEventListener("activate", (/** @type {LifeEvent} */ event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("message", (/** @type {Told} */ event) => {
  event.waitUntil(Promise.all(event.data.map((/** @type {string} */ url) => used(url).catch(() => {}))));
});
worker.addEventListener("fetch", (/** @type {FetchEvent} */ event) => {
  if (event.request.method === "GET" && event.request.url.startsWith(scope)) event.respondWith(answer(event));
});
