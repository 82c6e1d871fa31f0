// npm brings three.js when a site is built (web/site.py), without types.
declare module "three";
declare module "three/addons/geometries/RoundedBoxGeometry.js";
