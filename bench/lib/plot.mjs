// Lines over time as SVG: panels one above the other, a legend each, readable on light and dark pages.
const width = 860, left = 64, right = 16, top = 34, panelHeight = 190, gap = 46, pointsMax = 430;
const colours = ['#2f7ed8', '#e07b39', '#3a9d5d', '#b5479b', '#8a6d3b', '#5a7d8c', '#c0392b', '#7f8c8d'];

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const round = (value) => Math.round(value * 10) / 10;

// A scale that ends on 1, 2 or 5 times a power of ten, with four to ten marks.
export function scaleFor(max) {
  const power = 10 ** Math.floor(Math.log10(max || 1));
  const step = [0.1, 0.2, 0.5, 1, 2].map((one) => one * power).find((one) => max / one <= 7) ?? 2 * power;
  return { step, end: step * Math.max(1, Math.ceil((max || 1) / step - 1e-9)) };
}

// The mean of neighbours, so that no line has more points than can be told apart.
export function thinned(values, max = pointsMax) {
  const by = Math.ceil(values.length / max);
  const means = [];
  for (let i = 0; i < values.length; i += by) {
    const part = values.slice(i, i + by);
    means.push(part.reduce((sum, one) => sum + one, 0) / part.length);
  }
  return { values: means, by };
}

function path(values, stepSeconds, x, y, isStepped) {
  const { values: points, by } = isStepped ? { values, by: 1 } : thinned(values);
  let text = '', before;
  points.forEach((value, i) => {
    const at = (isStepped ? i : (i + 0.5) * by) * stepSeconds;
    if (isStepped) { // Corners alone.
      if (value === before && i < points.length - 1) return;
      text += before === undefined ? `M${round(x(at))} ${round(y(value))}` : `H${round(x(at))}V${round(y(value))}`;
      before = value;
    } else {
      text += `${i === 0 ? 'M' : 'L'}${round(x(at))} ${round(y(value))}`;
    }
  });
  return text;
}

// `lines`: { name, values, colour (a number), dashed, stepped, faint }. All lines have a value each `stepSeconds`.
function panel({ title, unit, lines, max }, offset, stepSeconds, seconds) {
  const { step, end } = scaleFor(max ?? Math.max(...lines.flatMap(({ values }) => values), 1e-9));
  const x = (at) => left + (at / seconds) * (width - left - right);
  const y = (value) => offset + panelHeight - (Math.min(value, end) / end) * panelHeight;
  const parts = [`<text x="${left}" y="${offset - 10}" class="title">${escaped(title)}</text>`];
  for (let mark = 0; mark <= end + step / 2; mark += step) {
    parts.push(`<path class="grid" d="M${left} ${round(y(mark))}H${width - right}"/>`);
    parts.push(`<text x="${left - 6}" y="${round(y(mark)) + 4}" text-anchor="end">${+mark.toPrecision(4)}${mark + step > end + step / 2 ? ` ${unit}` : ''}</text>`);
  }
  const time = scaleFor(seconds);
  for (let mark = 0; mark <= seconds + 1e-9; mark += time.step) parts.push(`<text x="${round(x(mark))}" y="${offset + panelHeight + 16}" text-anchor="middle">${+mark.toPrecision(4)} s</text>`);
  let legend = width - right;
  for (const line of [...lines].reverse()) {
    const colour = line.faint ? '#999' : colours[line.colour % colours.length];
    const style = `stroke="${colour}"${line.dashed ? ' stroke-dasharray="4 3" stroke-opacity="0.75"' : ''}`;
    parts.push(`<path class="line" ${style} d="${path(line.values, stepSeconds, x, y, line.stepped)}"/>`);
    legend -= line.name.length * 6.3 + 30;
    parts.push(`<path class="line" ${style} d="M${round(legend)} ${offset - 14}h18"/><text x="${round(legend + 22)}" y="${offset - 10}">${escaped(line.name)}</text>`);
  }
  return parts.join('\n');
}

export function plot({ heading, stepSeconds, seconds, panels }) {
  const height = top + panels.length * (panelHeight + gap);
  const drawn = panels.map((one, i) => panel(one, top + 24 + i * (panelHeight + gap), stepSeconds, seconds));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + 8}" font-family="sans-serif" font-size="11" fill="#777">
<style>.line{fill:none;stroke-width:1.5}.grid{stroke:#888;stroke-opacity:.25}.title{font-size:12px}</style>
<text x="${left}" y="20" font-size="14">${escaped(heading)}</text>
${drawn.join('\n')}
</svg>
`;
}
