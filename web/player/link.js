/** Links that carry a replay: `#replay=` and its bytes in base64url (RFC 4648). */

const NAME = "replay";
export const LONGEST = 8192; // characters; chats and mail cut what is longer

/**
 * The address of a page, with a replay in it.
 *
 * @param {string} page
 * @param {Uint8Array} bytes
 */
export function toLink(page, bytes) {
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return `${page.split("#")[0]}#${NAME}=${btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/**
 * The replay in an address; null where there is none, an Error in words where it is damaged.
 *
 * @param {string} hash of the page, from `#` on
 */
export function fromLink(hash) {
  const text = new URLSearchParams(hash.slice(1)).get(NAME);
  if (text === null) return null;
  if (!/^[\w-]+$/.test(text) || text.length % 4 === 1) throw new Error("The link is damaged: its replay is not whole. Copy it once more.");
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}
