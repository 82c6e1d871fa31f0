/** Workers whose file may lie on another origin than the page: browsers start none from there, but let one import it. */

/** @param {string} url of a module */
export function startWorker(url) {
  if (new URL(url, location.href).origin === location.origin) return new Worker(url, { type: "module" });
  const way = URL.createObjectURL(new Blob([`import ${JSON.stringify(url)};`], { type: "text/javascript" }));
  return new Worker(way, { type: "module" });
}
