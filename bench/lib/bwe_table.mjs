// The bars of congestion control as a Markdown table.
const digits = (value) => (value === undefined ? '' : Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2));

export function bweTable({ cases }) {
  const lines = ['| case | what | median | worst | gate | stretch | verdict |', '|---|---|---|---|---|---|---|'];
  for (const [name, { about, bars, seeds }] of Object.entries(cases)) {
    const label = about.includes(`${name}:`) ? about : `${name}: ${about}`;
    Object.entries(bars).forEach(([what, bar], i) => {
      const sign = bar.better === 'less' ? '≤' : '≥', unit = bar.unit ? ` ${bar.unit}` : '';
      const bound = (value) => (value === undefined ? '' : `${sign} ${+value.toPrecision(4)}`);
      const verdict = bar.verdict === 'MEDIAN' ? `${bar.held} of ${seeds}` : bar.verdict;
      lines.push(`| ${i === 0 ? label : ''} | ${what} | ${digits(bar.median)}${unit} | ${digits(bar.worst)}${unit} | ${bound(bar.gate)} | ${bound(bar.stretch)} | ${verdict} |`);
    });
  }
  return lines.join('\n');
}
