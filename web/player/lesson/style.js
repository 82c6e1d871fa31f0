/** How lessons look, and the form that makes them. */

const text = `
.lesson-card { border-color: var(--accent); border-width: 2px; font-size: 16px; line-height: 1.5; }
@container (min-width: 820px) { /* the words beside the picture where there is room, else below it */
  .demo:has(> section.lesson-card) > .panel { grid-row: 1 / span 2; grid-column: 2; } }
@container (min-width: 1080px) {
  .demo:has(> section.lesson-card) { grid-template-columns: minmax(0, calc(max(62vh, 340px) * var(--aspect))) minmax(320px, 1fr); }
  .demo:has(> section.lesson-card):not(:has(> .panel[hidden])) {
    grid-template-columns: minmax(0, calc(max(62vh, 340px) * var(--aspect))) minmax(320px, 1fr) 280px; }
  .demo:has(> section.lesson-card) > .panel, .demo:has(> section.lesson-card):not(:has(> .teach:not([hidden]))) > .main {
    position: sticky; top: 12px; }
  .demo > section.lesson-card { grid-row: 1 / span 2; grid-column: 2; }
  .demo:has(> section.lesson-card) > .panel { grid-column: 3; } }
.demo:has(> section.lesson-card) .row > :is(button:not(.bare), .field) > span { display: inline; } /* a lesson names the buttons */
.demo:has(> section.lesson-card) .row > .play { min-width: 6.4em; } /* so that none moves when its words change */
.demo:has(> section.lesson-card) .row > :is(.primary, .you) { min-width: 9.5em; }
.lesson-card > h2 { font-size: 20px; letter-spacing: 0; text-transform: none; color: var(--ink); }
.lesson-card p { margin: 0 0 10px; overflow-wrap: anywhere; }
.lesson-card ol { margin: 12px 0; padding: 0; list-style: none; counter-reset: task; display: grid; gap: 8px; }
.lesson-card li { counter-increment: task; display: grid; grid-template-columns: auto auto 1fr; gap: 8px; align-items: start; overflow-wrap: anywhere; }
.lesson-card li::before { content: counter(task) "."; font-weight: 650; min-width: 1.2em; text-align: right; }
.lesson-card input[type=checkbox] { width: 20px; height: 20px; margin: 2px 0 0; accent-color: var(--accent); }
.lesson-card input:checked + label { color: var(--soft); }
.lesson-card .question { font-weight: 650; margin-top: 14px; }
.lesson-card details { margin-top: 10px; background: var(--well); }
textarea { width: 100%; font: inherit; font-size: 15px; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px 10px;
  resize: vertical; }
.teach-form { display: grid; gap: 10px; }
.teach-form label:not(.pick) { display: grid; gap: 4px; font-size: 14px; color: var(--soft); }
.teach-form input[type=text] { width: 100%; color: var(--ink); }
.teach-form textarea { color: var(--ink); }
.teach-form fieldset { border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; margin: 0; display: grid; gap: 4px; font-size: 14px; }
.teach-form .pick { display: flex; gap: 8px; align-items: center; min-height: 24px; }
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(text);
