/** The style of two games side by side. */

const text = `
.compare { display: grid; gap: 12px; }
.compare h3 { margin: 0; font-size: 14px; }
.compare table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
.compare th, .compare td { padding: 3px 0 3px 8px; text-align: right; border-top: 1px solid var(--line); }
.compare th:first-child { padding-left: 0; text-align: left; font-weight: normal; color: var(--soft); }
.compare .row { margin-top: 10px; }
.stage.beside .foot { min-height: 38px; }
@container (min-width: 560px) {
  .main:has(.beside) { grid-template-columns: 1fr 1fr; align-items: start; }
}
.main:has(.beside) > :not(.stage) { grid-column: 1 / -1; }
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(text);
