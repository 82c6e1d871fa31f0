/** The game on the whole screen, and back. */

/** Whether the browser has that. */
export const canFill = () => document.fullscreenEnabled ?? false;

/**
 * @param {ParentNode | null | undefined} root of the demo
 */
export function fill(root) {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void root?.querySelector(".main")?.requestFullscreen().catch(() => {}); // refused: everything stays as it is
}
