/** The style of the panel for learning; its colours are those of style.js. */

const text = `
.learning { display: grid; gap: 12px; }
.learning > * { margin: 0; }
.learning .score.big { align-items: baseline; }
.learning .score.big b { font-size: 30px; line-height: 1; letter-spacing: -.02em; }
.curve { width: 100%; height: auto; font-size: 11px; overflow: visible; fill: none; }
.curve text { fill: var(--soft); font-variant-numeric: tabular-nums; }
.curve .left, .curve .right { text-anchor: end; }
.curve .middle { text-anchor: middle; }
.curve .goal { fill: var(--accent); font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
.curve .seconds { fill: var(--ink); }
.curve line { stroke: var(--line); }
.curve .bar-line { stroke: var(--accent); stroke-dasharray: 3 4; }
.curve polyline { stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
.curve .former { stroke: var(--soft); stroke-width: 1.5; opacity: .45; }
.curve .now { stroke: var(--accent); }
.curve .area { fill: var(--accent); opacity: .12; }
.curve .dot { fill: var(--accent); stroke: var(--card); stroke-width: 2; }
.learning summary { margin: 0; }
.learning details .players { margin-bottom: 10px; }
.learning input[type=text] { width: 14ch; }
.learning > input[type=text] { width: 100%; font-size: 13px; }
.learning .slider small { grid-column: 1 / -1; color: var(--soft); font-size: 12px; line-height: 1.35; }
.learning .figure.other { color: var(--accent); font-weight: 600; }
.learning button:disabled { opacity: .5; cursor: default; border-color: var(--line); }
.learning .bad { color: var(--bad); }
.learning .good { color: var(--accent); font-weight: 600; }
.against { display: grid; gap: 8px; }
.seal { font-variant-numeric: tabular-nums; }
.seal:empty { display: none; }
.teach { display: grid; gap: 12px; container-type: inline-size; }
@container (min-width: 820px) {
  .demo:has(.teach) { grid-template-rows: auto 1fr; }
  .demo:has(.teach) > .panel { grid-row: 1 / span 2; grid-column: 2; } }
@container (min-width: 560px) { .teach .lesson { grid-template-columns: 1fr 1fr; gap: 16px 20px; } }
.teach h3 { font-size: 15px; margin: 0; }
.teach ul { margin: 0; padding-left: 1.2em; font-size: 14px; display: grid; gap: 6px; color: var(--soft); }
.lesson { list-style: none; margin: 0; padding: 0; display: grid; gap: 12px; }
.lesson li { display: grid; grid-template-columns: 72px 1fr; gap: 12px; align-items: start; }
.lesson p { margin: 2px 0 0; font-size: 14px; color: var(--soft); }
.lesson b { font-size: 14px; }
.sketch { width: 72px; height: 56px; border-radius: 10px; background: var(--well); fill: none; }
.sketch .well { fill: var(--card); stroke: var(--line); }
.sketch .hot { fill: var(--accent); }
.sketch .cold { fill: var(--bad); opacity: .8; }
.sketch .thin { stroke: var(--soft); stroke-width: .8; opacity: .5; }
.sketch .strong { stroke: var(--accent); stroke-width: 2.4; opacity: 1; }
.sketch .line { stroke: var(--soft); stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; }
.sketch .line.strong { stroke: var(--accent); stroke-width: 3; }
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(text);
