/** Small helpers for building the page's elements. */

/**
 * Makes an element. Properties that begin with "on" are listeners, those with a hyphen (and `role`, `for`) attributes, the rest properties.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} properties
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, String(value));
    else Reflect.set(element, name, value);
  }
  element.append(...children);
  return element;
}

/**
 * A part of a drawing.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean>} attributes
 * @param {...(Node | string)} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * Writes words where they differ from those that are there.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Hands the visitor a file.
 *
 * @param {string} name
 * @param {Uint8Array | Blob | null} bytes
 */
export function save(name, bytes) {
  if (!bytes) return;
  const href = URL.createObjectURL(bytes instanceof Blob ? bytes : new Blob([/** @type {BlobPart} */ (bytes)]));
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

const PATHS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M6.5 4.5h4v15h-4zm7 0h4v15h-4z",
  step: "M5 4.5v15l9.5-7.5zm11 0h3v15h-3z",
  back: "M5 4.5h3v15H5zm14 0v15L9.5 12z",
  reset: "M12 5V1.5L7 6l5 4.5V7a5.5 5.5 0 1 1-5.5 5.5h-2A7.5 7.5 0 1 0 12 5z",
  full: "M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z",
  hand: "M6 8h12a4 4 0 0 1 4 4v3.5a2.5 2.5 0 0 1-4.6 1.3L16 14.5H8l-1.4 2.3A2.5 2.5 0 0 1 2 15.5V12a4 4 0 0 1 4-4zm1 2.5v1.25H5.75v1.5H7v1.25h1.5v-1.25h1.25v-1.5H8.5V10.5zm9.5.5a1 1 0 1 0 0 2 1 1 0 0 0 0-2z",
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": true }, svg("path", { d: PATHS[name] }));
}
