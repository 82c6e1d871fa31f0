/** The player's style sheet. Kept as text so that one module brings it along wherever the element is embedded. */

const text = `
:host { --accent: #0f766e; --on-accent: #fff; --ink: #14201f; --soft: #5b6b6b; --card: #fff; --line: #d9e2e1; --well: #eef3f2;
  --bad: #b42318; display: block; container-type: inline-size; color: var(--ink); line-height: 1.4;
  font: 15px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
@supports (color: light-dark(#000, #fff)) { /* as the page is around it: one without a dark form keeps the demo light */
  :host {
    --accent: light-dark(#0f766e, #2dd4bf); --on-accent: light-dark(#fff, #04211d); --ink: light-dark(#14201f, #e6efee);
    --soft: light-dark(#5b6b6b, #93a5a4); --card: light-dark(#fff, #131c1d); --line: light-dark(#d9e2e1, #263233);
    --well: light-dark(#eef3f2, #1c2728); --bad: light-dark(#b42318, #ff9d8f); } }
@supports not (color: light-dark(#000, #fff)) { @media (prefers-color-scheme: dark) {
  :host { --accent: #2dd4bf; --on-accent: #04211d; --ink: #e6efee; --soft: #93a5a4; --card: #131c1d; --line: #263233; --well: #1c2728;
    --bad: #ff9d8f; } } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.demo { display: grid; gap: 16px; align-items: start; }
@container (min-width: 820px) {
  :host([controls]:not([panels])) .demo, .demo:not(:has(> .panel[hidden])) { grid-template-columns: minmax(0, calc(max(62vh, 340px) * var(--aspect))) minmax(280px, 1fr); } }
.main { display: grid; gap: 10px; min-width: 0; container-type: inline-size; }
.stage { position: relative; isolation: isolate; border-radius: 12px; overflow: hidden; background: #000; box-shadow: 0 1px 2px #0003, 0 10px 30px #0002; }
canvas { display: block; width: 100%; aspect-ratio: var(--aspect, 1.33); user-select: none; -webkit-user-select: none; }
.foot { display: flex; justify-content: space-between; align-items: center; gap: 10px; min-height: 38px; padding: 5px 12px; font-size: 14px; color: #c3d0d6;
  background: #0a1014; }
.chip.you { margin-left: -6px; padding: 2px 11px; border-radius: 99px; background: #2dd4bf; color: #04211d; font-weight: 600; }
.foot span { display: flex; gap: 8px; align-items: center; }
.foot button { height: 28px; padding: 0 10px; font-size: 13px; color: inherit; background: #ffffff14; border-color: #fff3; }
.paused { padding: 2px 11px; border-radius: 99px; color: #fff; border: 1px solid #fff5; }
.veil { position: absolute; inset: 0; display: grid; place-content: center; justify-items: center; gap: 12px; padding: 20px; text-align: center;
  color: #fff; background: #0b1213f2; overflow: auto; }
.veil.low { inset: auto 0 0; grid-auto-flow: column; align-items: center; padding: 8px; background: #0b1213c0; font-size: 14px; }
.veil.low progress { width: 120px; }
.veil p { margin: 0; max-width: 46ch; overflow-wrap: anywhere; }
.veil strong { font-size: 17px; color: #ff9d8f; }
.veil progress { width: min(240px, 60%); height: 6px; accent-color: #2dd4bf; }
.veil div { display: flex; flex-wrap: wrap; gap: 8px; justify-content: center; }
.toggle { position: absolute; inset: 0; width: 100%; height: 100%; border: 0; border-radius: inherit; background: none; }
.toggle svg { width: 56px; height: 56px; padding: 14px 12px 14px 16px; border-radius: 50%; color: #fff; background: #0b1213c0; }
.toggle:focus-visible { outline-offset: -4px; }
.main:fullscreen { padding: 12px; background: var(--card); overflow: auto; align-content: center; justify-content: center;
  grid-template-columns: minmax(0, min(100%, (100vh - 150px) * var(--aspect))); }
.row > .bare span { display: none; }
.row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
button, select, input[type=text] { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  height: 38px; padding: 0 12px; }
button { display: inline-flex; gap: 6px; align-items: center; justify-content: center; cursor: pointer; white-space: nowrap; }
button:hover, select:hover { border-color: var(--accent); }
button:active { transform: translateY(1px); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
button.you { background: transparent; color: var(--accent); }
.veil button { color: #fff; background: #ffffff1a; border-color: #fff4; }
svg { width: 18px; height: 18px; fill: currentColor; flex: none; }
select { padding: 0 8px; }
input[type=text] { width: 8ch; font-variant-numeric: tabular-nums; }
input[type=text][aria-invalid=true] { border-color: var(--bad); }
label.field { display: inline-flex; gap: 6px; align-items: center; color: var(--soft); }
.field select, .field input { color: var(--ink); }
.timeline { display: grid; grid-template-columns: auto 1fr auto; gap: 10px; align-items: center; }
.timeline button { width: 38px; padding: 0; }
.timeline input { width: 100%; margin: 0; accent-color: var(--accent); height: 24px; }
.timeline .figure { min-width: 13.5ch; text-align: right; font-variant-numeric: tabular-nums; color: var(--soft); font-size: 14px; }
.state { margin: 0; color: var(--soft); min-height: 1.4em; font-variant-numeric: tabular-nums; }
.state.bad { color: var(--bad); }
.panel { display: grid; gap: 12px; min-width: 0; }
section, details { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 12px 14px; min-width: 0; }
h2, summary { font-size: 12px; font-weight: 650; letter-spacing: .04em; text-transform: uppercase; color: var(--soft); margin: 0 0 10px; }
summary { cursor: pointer; margin: 0; border-radius: 4px; }
details[open] > summary { margin-bottom: 10px; }
details details { margin-top: 10px; padding: 10px 0 0; border: 0; border-top: 1px solid var(--line); border-radius: 0; }
.players { display: grid; grid-template-columns: minmax(5em, 1fr) minmax(0, auto); gap: 8px; align-items: center; }
.players select { min-width: 8.5em; }
.score > span { display: block; }
.score { font-variant-numeric: tabular-nums; display: flex; justify-content: space-between; gap: 8px; margin: 10px 0 0; color: var(--soft); }
.score b { color: var(--ink); }
.bar { display: grid; grid-template-columns: 5.5em 1fr 3.4em; gap: 8px; align-items: center; font-size: 14px; padding: 2px 0; }
.bar b { position: relative; height: 10px; border-radius: 5px; background: var(--well); overflow: hidden; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--accent); opacity: .55; border-radius: 5px; }
.bar.taken i, .bar.signed i { opacity: 1; }
.bar.taken span:first-child { font-weight: 600; }
.bar.signed b::after { content: ""; position: absolute; left: 50%; inset-block: 0; width: 1px; background: var(--soft); opacity: .6; }
.bar span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bar .figure, .slider .figure { text-align: right; font-variant-numeric: tabular-nums; color: var(--soft); font-size: 13px; }
.bar:last-child { margin-top: 6px; padding-top: 8px; border-top: 1px solid var(--line); }
.sliders { display: grid; gap: 10px; }
.stages:not(:empty) { margin-top: 12px; }
.slider { display: grid; grid-template-columns: 1fr auto; gap: 2px 8px; font-size: 14px; }
.slider input { grid-column: 1 / -1; width: 100%; margin: 0; accent-color: var(--accent); height: 20px; }
.slider label::first-letter { text-transform: uppercase; }
.badge { margin-left: 8px; padding: 1px 9px; border-radius: 99px; background: #2dd4bf; color: #04211d; font-size: 12px; font-weight: 600; }
.badge.bad { background: #f87171; color: #2b0606; }
.note { margin: 0; color: var(--soft); font-size: 14px; overflow-wrap: anywhere; }
.score.fine { margin-top: 2px; white-space: nowrap; } /* one line, however high it counts */
.score.fine, .fine .note { font-size: 13px; }
.note + .row, .note ~ .row, .note + input { margin-top: 10px; }
.note + input[type=text] { width: 100%; }
.drop .stage { outline: 3px dashed var(--accent); outline-offset: 3px; }
dialog { color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 20px 22px; width: min(440px, calc(100vw - 24px)); }
dialog::backdrop { background: #0009; }
dialog h2 { font-size: 18px; letter-spacing: 0; text-transform: none; color: var(--ink); }
dl { display: grid; grid-template-columns: auto 1fr; gap: 8px 14px; margin: 0 0 16px; align-items: center; }
dt { display: flex; gap: 4px; flex-wrap: wrap; }
dd { margin: 0; }
kbd { font: 600 12px/1 ui-monospace, Menlo, Consolas, monospace; background: var(--well); border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 6px;
  padding: 5px 7px; min-width: 26px; text-align: center; }
@container (max-width: 660px) { .row > button.small span, .field.small > span { display: none; } }
@container (max-width: 480px) { .row > button:not(.primary) span { display: none; } .foot { font-size: 13px; line-height: 1.15; padding-block: 4px; } }
@media (pointer: coarse) { button, select, input[type=text], .foot button { height: 44px; } .toggle { height: 100%; } }
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(text);
