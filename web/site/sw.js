/**
 * The service worker: after the first visit the whole site works without the network.
 *
 * Files below assets/ carry their hash in their name, so the cache is as good as the server. Pages and the manifest
 * come from the server while it answers. The build puts the site's version in front, so that a new site installs anew.
 */

/**
 * @typedef {Event & {waitUntil: (work: Promise<unknown>) => void}} LifeEvent
 * @typedef {Event & {request: Request, respondWith: (answer: Promise<Response>) => void}} FetchEvent
 */
const worker = /** @type {any} */ (self);
const LEFT = /-whole-|\.onnx$|-card-|sitemap/; // few visits need the first two, none the others
const scope = /** @type {string} */ (worker.registration.scope);

async function install() {
  const manifest = await (await fetch("manifest.json", { cache: "no-cache" })).json();
  const cache = await caches.open(`${scope} ${manifest.version}`);
  const wanted = Object.keys(manifest.files).filter((address) => !LEFT.test(address));
  await cache.addAll(["./", "manifest.json", ...wanted]);
  await worker.skipWaiting();
  for (const name of await caches.keys()) {
    if (name.startsWith(`${scope} `) && name !== `${scope} ${manifest.version}`) await caches.delete(name);
  }
}

/**
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function answer(request) {
  const stored = await caches.match(request, { ignoreSearch: true });
  if (stored && request.url.startsWith(`${scope}assets/`)) return stored;
  try {
    return await fetch(request);
  } catch (error) {
    if (stored) return stored;
    throw error;
  }
}

worker.addEventListener("install", (/** @type {LifeEvent} */ event) => event.waitUntil(install()));
worker.addEventListener("activate", (/** @type {LifeEvent} */ event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (/** @type {FetchEvent} */ event) => {
  if (event.request.method === "GET" && event.request.url.startsWith(scope)) event.respondWith(answer(event.request));
});
