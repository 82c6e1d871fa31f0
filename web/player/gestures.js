/** What a visitor does to the world with the pointer, as events: a click, or a drag from one place to another. */

/**
 * @typedef {import("./spec.js").Spec} Spec @typedef {import("./canvas.js").Canvas} Canvas
 * @typedef {{kind: number, target: number, at: number[], way: number[], value: number}} Event EnvEvent of abi.h
 */

const DRAG = 8; // pixels of way that make a click a drag
const NOTHING = { target: 0, at: [0, 0, 0], way: [0, 0, 0], value: 0 };

/**
 * Tells of each gesture, with what it uses; one that uses a target is none where the pointer began at none.
 *
 * @param {Spec} spec
 * @param {Canvas} picture
 * @param {(event: Event) => void} done
 */
export function gestures(spec, picture, done) {
  const { element } = picture;
  const touchPlays = spec.control.some((control) => control.touch); // then only the mouse makes gestures
  /** @type {{pointer: PointerEvent, from: DOMPoint, target: number} | null} */
  let start = null;
  element.addEventListener("pointerdown", (pointer) => {
    const from = picture.world(pointer);
    const target = picture.pick(from); // of the picture that was seen
    start = touchPlays && pointer.pointerType !== "mouse" ? null : { pointer, from, target };
  });
  element.addEventListener("pointerup", (event) => {
    if (!start || start.pointer.pointerId !== event.pointerId) return;
    const { pointer, from, target } = start;
    start = null;
    const long = Math.hypot(event.clientX - pointer.clientX, event.clientY - pointer.clientY) >= DRAG;
    const gesture = spec.gesture.find(
      (known) => known.pointer === (long ? "drag" : "click") && (target || !known.uses.includes("target")),
    );
    if (!gesture) return;
    const to = picture.world(event);
    /** @type {Omit<Event, "kind">} */
    const all = {
      target,
      at: [from.x, from.y, 0],
      way: [to.x - from.x, to.y - from.y, 0],
      value: (event.timeStamp - pointer.timeStamp) / 1000, // s that it was held
    };
    done({ kind: gesture.kind, ...NOTHING, ...Object.fromEntries(gesture.uses.map((member) => [member, all[member]])) });
  });
}
