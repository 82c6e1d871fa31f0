/** The style of the robustness meter; its colours are those of style.js. */

const text = `
.meter { display: grid; gap: 10px; }
.meter > * { margin: 0; }
.meter .score b { font-size: 26px; line-height: 1; letter-spacing: -.02em; }
.meter svg { width: 100%; height: auto; font-size: 11px; overflow: visible; fill: none; }
.meter svg text { fill: var(--soft); font-variant-numeric: tabular-nums; }
.meter .middle { text-anchor: middle; }
.meter .right { text-anchor: end; }
.meter line { stroke: var(--line); }
.meter .goal { stroke: var(--accent); stroke-dasharray: 3 4; }
.meter .span { stroke: var(--soft); stroke-width: 2; stroke-linecap: round; }
.meter circle { fill: var(--soft); }
.meter .now .span { stroke: var(--accent); stroke-width: 3; }
.meter .now circle { fill: var(--accent); stroke: var(--card); stroke-width: 2; }
.meter .bad { color: var(--bad); }
.meter button:disabled { opacity: .5; cursor: default; border-color: var(--line); }
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(text);
