/** What a visitor does to the world with the pointer, as events: a click, or a drag from one place to another. */

/**
 * @typedef {import("./spec.js").Spec} Spec @typedef {import("./canvas.js").Canvas} Canvas
 * @typedef {{kind: number, target: number, at: number[], way: number[], value: number}} Event EnvEvent of abi.h
 */

const DRAG = 8; // pixels of way that make a click a drag
const NOTHING = { target: 0, at: [0, 0, 0], way: [0, 0, 0], value: 0 };

const PIECE = 50; // ms: in space what is dragged follows, and the drag is told in pieces of so long at least

/**
 * The gesture that a click or a drag from here is; one that uses a target is none where the pointer began at none.
 *
 * @param {Spec} spec
 * @param {"click" | "drag"} pointer
 * @param {number} target
 */
export const known = (spec, pointer, target) => spec.gesture.find((one) => one.pointer === pointer && (target || !one.uses.includes("target")));

/**
 * Tells of each gesture, with what it uses.
 *
 * @param {Spec} spec
 * @param {Canvas} picture
 * @param {(event: Event) => void} done
 */
export function gestures(spec, picture, done) {
  const { element } = picture;
  const touchPlays = spec.control.some((control) => control.touch); // then only the mouse makes gestures
  /** @type {{pointer: PointerEvent, hold: import("./canvas.js").Hold, from: number[], time: number, long: boolean} | null} */
  let start = null;
  /** @param {PointerEvent} event @param {boolean} end */
  const tell = (event, end) => {
    if (!start || start.pointer.pointerId !== event.pointerId) return;
    const { pointer, hold, from, time } = start;
    start.long ||= Math.hypot(event.clientX - pointer.clientX, event.clientY - pointer.clientY) >= DRAG;
    const gesture = known(spec, start.long ? "drag" : "click", hold.target);
    if (!end && !(hold.solid && start.long && event.timeStamp - time >= PIECE)) return;
    const to = hold.to(event);
    /** @type {Omit<Event, "kind">} */
    const all = {
      target: hold.target,
      at: from,
      way: to.map((value, k) => value - from[k]),
      value: (event.timeStamp - time) / 1000, // s that it was held
    };
    Object.assign(start, { from: to, time: event.timeStamp });
    if (end) start = null;
    if (gesture) done({ kind: gesture.kind, ...NOTHING, ...Object.fromEntries(gesture.uses.map((member) => [member, all[member]])) });
  };
  element.addEventListener("pointerdown", (pointer) => {
    const hold = picture.hold(pointer); // on the picture that was seen
    const gesture = pointer.button === 0 && !(touchPlays && pointer.pointerType !== "mouse");
    start = gesture ? { pointer, hold, from: hold.to(pointer), time: pointer.timeStamp, long: false } : null;
    if (gesture && known(spec, "drag", hold.target)) element.setPointerCapture(pointer.pointerId);
  });
  element.addEventListener("pointermove", (event) => tell(event, false));
  element.addEventListener("pointerup", (event) => tell(event, true));
}
