/** The style of the panel that shows what goes on inside the policy. */

const text = `
.insight { display: grid; gap: 10px; }
.sight { display: grid; gap: 2px; max-height: 340px; overflow: auto; }
.sight .bar { grid-template-columns: 9em 1fr 3.4em; font-size: 13px; }
.sight .bar:last-child { margin: 0; padding: 2px 0; border: 0; }
.planes { display: grid; grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)); gap: 8px; }
.map { display: grid; grid-template-columns: 1fr auto; gap: 2px 8px; font-size: 13px; align-items: baseline; }
.planes .map { grid-template-columns: 1fr; }
.planes .map .figure { display: none; }
.map .figure { color: var(--soft); font-variant-numeric: tabular-nums; }
.heat { grid-column: 1 / -1; width: 100%; image-rendering: pixelated; border-radius: 3px; min-height: 9px; }
.maps { display: grid; gap: 10px; }
.history svg { display: block; width: 100%; height: 90px; background: var(--well); border-radius: 8px; }
.history .line { fill: none; stroke: var(--accent); stroke-width: 2; vector-effect: non-scaling-stroke; }
.history .zero, .history .now { stroke: var(--soft); opacity: .5; vector-effect: non-scaling-stroke; }
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(text);
