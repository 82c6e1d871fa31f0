/**
 * Draws by three.js what lies in space, on a canvas of its own, which lies under the page's. Kinds are those of shapes.js; what is
 * flat it leaves alone. Pages of environments in space load it, and draw flat faces (solids.js) until it is ready, while its context
 * is lost, and where there is no WebGL.
 */

import {
  BufferGeometry,
  CanvasTexture,
  Color,
  CylinderGeometry,
  DirectionalLight,
  Group,
  HemisphereLight,
  Mesh,
  MeshStandardMaterial,
  Object3D,
  PerspectiveCamera,
  RepeatWrapping,
  SRGBColorSpace,
  Scene,
  SphereGeometry,
  Vector3,
  WebGLRenderer,
} from "three";
import { RoundedBoxGeometry } from "three/addons/geometries/RoundedBoxGeometry.js";
import { css, render } from "./shapes.js";

/** @typedef {import("./shapes.js").Shape} Shape */

const SHADOW = 1024; // texels of the shadow map, each way
const SLAB = 0.03; // thickness of a ground, as a share of its smaller side
const BEVEL = 0.12; // of a box's smallest side
const SKY = { light: ["#f7fafb", "#d5dfe3"], dark: ["#27343b", "#0b1114"] }; // above, below
const SUN = [0.48, 0.36, -0.8, 0.6]; // where a list has no light

const SLOW = 90; // ms between frames, on average: then the picture is made of fewer pixels
const STILL = 20; // frames without a change, after which the picture is made as fine as can be
const FINENESS = [1, 0.75, 0.5]; // pixels of the picture for each of the canvas, each way

const up = new Vector3(0, 0, 1);

/**
 * A texture that a function paints.
 *
 * @param {number} width
 * @param {number} height
 * @param {(context: CanvasRenderingContext2D) => void} paint
 */
function painted(width, height, paint) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  paint(/** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")));
  const made = new CanvasTexture(canvas);
  made.colorSpace = SRGBColorSpace;
  return made;
}

/** @param {string[]} colors from above */
const fading = (colors) =>
  painted(1, 128, (context) => {
    const fill = context.createLinearGradient(0, 0, 0, 128);
    colors.forEach((color, i) => fill.addColorStop(i / (colors.length - 1), color));
    context.fillStyle = fill;
    context.fillRect(0, 0, 1, 128);
  });

/** @param {string} color @param {string} other @param {number} wide @param {number} deep @param {number} side of the squares */
function squares(color, other, wide, deep, side) {
  const made = painted(128, 128, (context) => {
    for (const [i, fill] of [color, other, other, color].entries()) {
      context.fillStyle = fill.slice(0, 7);
      context.fillRect(64 * (i % 2), i < 2 ? 64 : 0, 64, 64); // the first from below
    }
  });
  made.wrapS = made.wrapT = RepeatWrapping;
  made.anisotropy = 8;
  made.repeat.set(wide / side, deep / side);
  return made;
}

export class Stage {
  #scene = new Scene();
  #camera = new PerspectiveCamera();
  #sun = new DirectionalLight();
  #sky = new HemisphereLight(0xffffff, 0x8a949a);
  /** @type {Map<string, Object3D[]>} by kind: those that were made, of which a list takes the first ones */
  #made = new Map();
  /** @type {Map<string, number>} how many of each kind the present list has taken */
  #taken = new Map();
  /** @type {Map<string, MeshStandardMaterial>} by colour */
  #materials = new Map();
  /** @type {Map<string, BufferGeometry>} by form and size */
  #forms = new Map();
  /** The middle of what is lit, and how far it reaches. */
  #lit = { at: new Vector3(), around: 1 };
  #drawn = "";
  #fineness = 0;
  #still = 0;
  #pace = 0;
  #last = 0;
  #ready = false;
  /** @type {WebGLSync | null} which tells when what draws is compiled: whoever asked for it earlier would wait */
  #fence = null;

  /** @throws where there is no WebGL */
  constructor() {
    this.element = document.createElement("canvas");
    this.element.style.cssText = "position: absolute; inset: 0 auto auto 0; z-index: -1";
    this.element.ariaHidden = "true";
    const gl = this.element.getContext("webgl2", { antialias: true, alpha: false });
    if (!gl) throw new Error("no WebGL here"); // three.js would complain in the console, too
    this.gl = gl;
    this.renderer = new WebGLRenderer({ canvas: this.element, context: gl });
    this.renderer.debug.checkShaderErrors = false; // it would wait for the compiler
    this.renderer.shadowMap.enabled = true;
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    const { shadow } = this.#sun;
    this.#sun.castShadow = true;
    shadow.mapSize.set(SHADOW, SHADOW);
    shadow.radius = 4;
    shadow.bias = -0.0005;
    shadow.normalBias = 0.004;
    this.#camera.up = up;
    this.skies = Object.fromEntries(Object.entries(SKY).map(([theme, colors]) => [theme, fading(colors)]));
    this.#sky.position.set(0, 0, 1);
    this.#scene.add(this.#sun, this.#sun.target, this.#sky);
    this.element.addEventListener("webglcontextlost", () => ([this.#ready, this.#fence] = [false, null]));
    this.element.addEventListener("webglcontextrestored", () => (this.#drawn = ""));
  }

  /** Whether it draws now. */
  get ready() {
    return this.#ready;
  }

  /**
   * @param {Shape[]} shapes
   * @param {number} width of the picture, pixels
   * @param {number} height
   * @param {number} high how many of them the camera's field of view is high
   * @returns {boolean} false: flat faces, this time
   */
  draw(shapes, width, height, high) {
    if (this.#fence && this.gl.getSyncParameter(this.#fence, this.gl.SYNC_STATUS) === this.gl.SIGNALED) {
      [this.#ready, this.#fence, this.#drawn] = [true, null, ""];
    }
    if (this.#fence || this.gl.isContextLost() || !shapes.some(({ kind }) => kind === "camera3")) return false;
    this.#adapt();
    const now = JSON.stringify([width, height, high, this.dark.matches, shapes.map(({ kind, color, n, f }) => [kind, color, n, f])]);
    this.#still = now === this.#drawn ? this.#still + 1 : 0;
    const fineness = this.#still ? 1 : FINENESS[this.#fineness];
    if (this.#still && (this.#still !== STILL || !this.#fineness)) return true;
    this.#drawn = now;
    this.#taken.clear();
    this.#light(...SUN);
    render(shapes, this);
    for (const [kind, made] of this.#made) made.forEach((each, i) => (each.visible = i < (this.#taken.get(kind) ?? 0)));
    const [wide, tall] = [width, height].map((size) => Math.ceil(size * fineness));
    if (this.element.width !== wide || this.element.height !== tall) this.renderer.setSize(wide, tall, false);
    this.#scene.background = this.skies[this.dark.matches ? "dark" : "light"];
    this.#aim(width / height, height / high);
    if (!this.#fence && !this.#ready) {
      this.renderer.compile(this.#scene, this.#camera);
      this.#fence = this.gl.fenceSync(this.gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
      this.gl.flush();
      return false;
    }
    this.renderer.render(this.#scene, this.#camera);
    return true;
  }

  /** Fewer pixels where frames come too slowly. */
  #adapt() {
    const [gap, now] = [performance.now() - this.#last, performance.now()];
    this.#last = now;
    this.#pace += (Math.min(gap, 2 * SLOW) - this.#pace) / 30; // 2 s of good frames
    if (this.#pace < SLOW || this.#fineness === FINENESS.length - 1) return;
    this.#fineness += 1;
    this.#pace = 0;
  }

  /** @param {number} aspect @param {number} higher how many times the field of view the picture is high */
  #aim(aspect, higher) {
    const camera = this.#camera;
    Object.assign(camera, { aspect, fov: (360 / Math.PI) * Math.atan(Math.tan(camera.userData.fov / 2) * higher) });
    camera.updateProjectionMatrix();
    const { at, around } = this.#lit;
    const sun = this.#sun;
    sun.target.position.copy(at);
    sun.position.copy(at).addScaledVector(sun.userData.way, -3 * around);
    Object.assign(sun.shadow.camera, { left: -around, right: around, top: around, bottom: -around, near: around, far: 5 * around });
    sun.shadow.camera.updateProjectionMatrix();
  }

  /**
   * Something of a kind, made or used again.
   *
   * @template {Object3D} Made
   * @param {string} kind
   * @param {() => Made} make
   * @returns {Made}
   */
  #take(kind, make) {
    const made = this.#made.get(kind) ?? [];
    const i = this.#taken.get(kind) ?? 0;
    this.#made.set(kind, made);
    this.#taken.set(kind, i + 1);
    if (i === made.length) this.#scene.add((made[i] = make()));
    return /** @type {Made} */ (made[i]);
  }

  /** @param {string} color #RRGGBBAA */
  #material(color) {
    let made = this.#materials.get(color);
    const opacity = parseInt(color.slice(7), 16) / 255;
    if (!made) {
      made = new MeshStandardMaterial({ color: color.slice(0, 7), roughness: 0.5, metalness: 0.05, opacity, transparent: opacity < 1 });
      if (opacity < 1) Object.assign(made, { emissive: new Color(color.slice(0, 7)), emissiveIntensity: 0.35, depthWrite: false });
      this.#materials.set(color, made);
    }
    return made;
  }

  /**
   * @param {string} name of the form and its size
   * @param {() => BufferGeometry} make
   */
  #form(name, make) {
    let made = this.#forms.get(name);
    if (!made) {
      if (this.#forms.size > 256) for (const form of this.#forms.values()) form.dispose(); // sizes that change at each tick
      if (this.#forms.size > 256) this.#forms.clear();
      this.#forms.set(name, (made = make()));
    }
    return made;
  }

  /**
   * @param {Shape} shape
   * @param {BufferGeometry} form
   */
  #mesh({ kind, color }, form) {
    const mesh = this.#take(kind, () => new Mesh());
    mesh.geometry = form;
    this.#paint(mesh, color);
    return mesh;
  }

  /** @param {Mesh} mesh @param {string} color */
  #paint(mesh, color) {
    mesh.material = this.#material(color);
    mesh.castShadow = mesh.receiveShadow = !mesh.material.transparent;
  }

  #ball = () => this.#form("ball", () => new SphereGeometry(1, 40, 24));
  #tube = () => this.#form("tube", () => new CylinderGeometry(1, 1, 1, 40, 1, true).rotateX(Math.PI / 2));
  #drum = () => this.#form("drum", () => new CylinderGeometry(1, 1, 2, 48).rotateX(Math.PI / 2));

  /** @param {Shape} shape @param {number[]} f */
  box3(shape, ...f) {
    const sizes = f.slice(3, 6).map((half) => 2 * half);
    const mesh = this.#mesh(shape, this.#form(`box ${sizes}`, () => new RoundedBoxGeometry(sizes[0], sizes[1], sizes[2], 3, BEVEL * Math.min(...sizes))));
    mesh.position.set(f[0], f[1], f[2]);
    mesh.quaternion.set(f[7], f[8], f[9], f[6]);
  }

  /** @param {Shape} shape @param {number[]} f */
  sphere3(shape, ...f) {
    const mesh = this.#mesh(shape, this.#ball());
    mesh.position.set(f[0], f[1], f[2]);
    mesh.scale.setScalar(f[3]);
  }

  /** @param {Shape} shape @param {number[]} f */
  capsule3(shape, ...f) {
    const group = this.#take(shape.kind, () => new Group().add(new Mesh(this.#tube()), new Mesh(this.#ball()), new Mesh(this.#ball())));
    const [tube, from, to] = /** @type {Mesh[]} */ (group.children);
    for (const mesh of [tube, from, to]) this.#paint(mesh, shape.color);
    from.position.set(f[0], f[1], f[2]);
    to.position.set(f[3], f[4], f[5]);
    from.scale.setScalar(f[6]);
    to.scale.setScalar(f[6]);
    const way = to.position.clone().sub(from.position);
    tube.position.copy(from.position).addScaledVector(way, 0.5);
    tube.scale.set(f[6], f[6], Math.max(way.length(), 1e-6));
    tube.quaternion.setFromUnitVectors(up, way.length() ? way.normalize() : up);
  }

  /** @param {Shape} shape @param {number[]} f */
  cylinder3(shape, ...f) {
    const mesh = this.#mesh(shape, this.#drum());
    mesh.position.set(f[0], f[1], f[2]);
    mesh.scale.set(f[3], f[3], f[4]);
    mesh.quaternion.set(f[6], f[7], f[8], f[5]);
  }

  /** @param {Shape} shape @param {number[]} f */
  ground3(shape, ...f) {
    const [x, y, z, wide, deep, side] = f;
    const thick = SLAB * Math.min(wide, deep);
    const name = `ground ${[wide, deep, side]}`;
    const form = this.#form(name, () => new RoundedBoxGeometry(2 * wide, 2 * deep, 2 * thick, 4, thick));
    const mesh = this.#take(shape.kind, () => new Mesh());
    const key = `${name} ${shape.color} ${shape.n}`;
    let material = this.#materials.get(key);
    if (!material) {
      material = new MeshStandardMaterial({ roughness: 0.7, metalness: 0 });
      if (side > 0) material.map = squares(shape.color, css(shape.n >>> 0), wide, deep, side);
      else material.color.set(shape.color.slice(0, 7));
      this.#materials.set(key, material);
    }
    mesh.geometry = form;
    mesh.material = material;
    mesh.receiveShadow = true;
    mesh.position.set(x, y, z - thick);
    this.#lit = { at: new Vector3(x, y, z), around: Math.max(wide, deep) };
  }

  /** @param {Shape} _ @param {number[]} f */
  camera3(_, ...f) {
    const far = Math.hypot(f[3] - f[0], f[4] - f[1], f[5] - f[2]);
    this.#camera.position.set(f[0], f[1], f[2]);
    this.#camera.lookAt(f[3], f[4], f[5]);
    Object.assign(this.#camera, { near: far / 100, far: 30 * far });
    this.#camera.userData.fov = f[6];
  }

  /** @param {Shape} shape @param {number[]} f */
  light({ color }, ...f) {
    this.#light(...f);
    this.#sun.color.set(color.slice(0, 7));
  }

  /** @param {number[]} f */
  #light(...[x, y, z, strength]) {
    this.#sun.userData.way = new Vector3(x, y, z).normalize();
    this.#sun.intensity = 3.4 * strength;
    this.#sky.intensity = 1.5;
  }
}
