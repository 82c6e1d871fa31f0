/** What a visitor does to the world with the pointer, as events: a click, or a drag from one place to another. */

/**
 * @typedef {import("./spec.js").Spec} Spec @typedef {import("./canvas.js").Canvas} Canvas
 * @typedef {{kind: number, target: number, at: number[], way: number[], value: number}} Event EnvEvent of abi.h
 */

const DRAG = 8; // pixels of way that make a click a drag

/**
 * @param {Spec} spec
 * @param {Canvas} picture
 * @param {(event: Event) => void} done
 */
export function gestures(spec, picture, done) {
  const { element } = picture;
  const touchPlays = spec.control.some((control) => control.touch); // then only the mouse makes gestures
  /** @type {PointerEvent | null} */
  let start = null;
  element.addEventListener("pointerdown", (event) => {
    start = touchPlays && event.pointerType !== "mouse" ? null : event;
  });
  element.addEventListener("pointerup", (event) => {
    if (!start || start.pointerId !== event.pointerId) return;
    const way = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY);
    const kind = way < DRAG ? "click" : "drag";
    const [from, to] = [picture.world(start), picture.world(event)];
    start = null;
    const gesture = spec.gesture.find(({ pointer }) => pointer === kind);
    if (!gesture) return;
    const common = { kind: gesture.kind, target: 0, value: 0 };
    if (kind === "click") done({ ...common, at: [to.x, to.y, 0], way: [0, 0, 0] });
    else done({ ...common, at: [from.x, from.y, 0], way: [to.x - from.x, to.y - from.y, 0] });
  });
}
