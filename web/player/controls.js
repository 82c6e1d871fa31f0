/** What a person holds: keys, touch zones and gamepad, read through the specification's controls. */

/** @typedef {import("./spec.js").Spec} Spec @typedef {import("./spec.js").Control} Control */

const DEAD_ZONE = 0.35; // of a gamepad's stick

/**
 * How far a touch at (x, y) in [0, 1]² deflects a zone, -1 to 1; 0 outside.
 *
 * @param {string} zone
 * @param {number} x
 * @param {number} y
 */
function deflection(zone, x, y) {
  if (zone === "x") return 2 * x - 1;
  if (zone === "y") return 2 * y - 1;
  const part = /^([xy])(\d+)\/(\d+)$/.exec(zone); // one of several columns or rows
  if (part) return Math.floor((part[1] === "x" ? x : y) * Number(part[3])) + 1 === Number(part[2]) ? 1 : 0;
  const inside = { left: x < 0.5, right: x >= 0.5, top: y < 0.5, bottom: y >= 0.5 };
  return inside[/** @type {keyof typeof inside} */ (zone)] ? 1 : 0;
}

export class Controls {
  /** @type {Map<Control, number>} control → deflection, in the order of pressing */
  #keys = new Map();
  /** @type {Map<Control, number>} */
  #touch = new Map();
  /** @type {Map<Control, number>} */
  #pad = new Map();
  /** @type {Map<Control, number>} pressed since the last frame, so that a tap shorter than a frame counts */
  #tapped = new Map();
  /** @type {number | null} */
  #pointer = null;

  /**
   * @param {Spec} spec
   * @param {() => void} pressed called whenever a person presses a control
   */
  constructor(spec, pressed) {
    this.spec = spec;
    this.pressed = pressed;
  }

  /** @param {string} code KeyboardEvent.code */
  #of(code) {
    return this.spec.control.filter((control) => control.keys.includes(code));
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key is a control
   */
  down(event) {
    const controls = this.#of(event.code);
    if (!event.repeat) {
      for (const control of controls) {
        this.#keys.set(control, 1);
        this.#tapped.set(control, 1);
      }
      if (controls.length) this.pressed();
    }
    return controls.length > 0;
  }

  /** @param {KeyboardEvent} event */
  up(event) {
    for (const control of this.#of(event.code)) this.#keys.delete(control);
  }

  /** Lets go of everything: the page lost the focus. */
  release() {
    this.#keys.clear();
    this.#touch.clear();
    this.#tapped.clear();
    this.#pointer = null;
  }

  /**
   * Reads touches on the picture; a mouse counts as a finger where it has no gestures of its own.
   *
   * @param {HTMLElement} element
   */
  watch(element) {
    if (!this.spec.control.some((control) => control.touch)) return;
    element.style.touchAction = "none";
    const read = (/** @type {PointerEvent} */ event) => {
      const box = element.getBoundingClientRect();
      const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      this.#touch.clear();
      for (const control of this.spec.control) {
        const value = deflection(control.touch, x, y);
        if (value !== 0) this.#touch.set(control, value);
      }
    };
    element.addEventListener("pointerdown", (event) => {
      if (this.#pointer !== null || event.button !== 0 || (event.pointerType === "mouse" && this.spec.gesture.length)) return;
      this.#pointer = event.pointerId;
      element.setPointerCapture(event.pointerId);
      read(event);
      for (const [control, value] of this.#touch) this.#tapped.set(control, value);
      this.pressed();
    });
    element.addEventListener("pointermove", (event) => {
      if (event.pointerId === this.#pointer) read(event);
    });
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
      element.addEventListener(end, (event) => {
        if (event.pointerId !== this.#pointer) return;
        this.#pointer = null;
        this.#touch.clear();
      });
    }
  }

  /** Reads the gamepads; browsers report them only when asked. */
  poll() {
    const before = this.#pad.size;
    this.#pad.clear();
    for (const pad of navigator.getGamepads?.() ?? []) {
      if (!pad) continue;
      for (const control of this.spec.control) {
        for (const input of control.gamepad) {
          const part = /^(button|axis)(\d+)([+-]?)$/.exec(input);
          if (!part) continue;
          const axis = (pad.axes[Number(part[2])] ?? 0) * (part[3] === "-" ? -1 : 1);
          const value = part[1] === "button" ? (pad.buttons[Number(part[2])]?.value ?? 0) : axis;
          if (value > DEAD_ZONE) this.#pad.set(control, value);
        }
      }
    }
    if (this.#pad.size && !before) this.pressed();
  }

  /** The action of this frame: one number a head. */
  action() {
    const { head, action_type, idle } = this.spec;
    const values = head.map((_, index) => (action_type === "box" ? 0 : idle[index]));
    const held = new Map([...this.#pad, ...this.#touch, ...this.#keys, ...this.#tapped]);
    this.#tapped.clear();
    for (const [control, value] of held) {
      if (action_type === "box") values[control.head] += control.value * value;
      else values[control.head] = control.value; // of two choices of one head, the one pressed last
    }
    return action_type === "box"
      ? values.map((value, index) => Math.min(Math.max(value, head[index].low), head[index].high))
      : values;
  }
}
