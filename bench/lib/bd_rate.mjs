// How many bits one way of encoding takes for what another does, at equal quality: the mean over all qualities that both
// reach (G. Bjøntegaard, VCEG-M33, 2001), with the curve through the points as JCTVC-L1100 has it: piecewise cubic, no
// overshoot (F. N. Fritsch, J. Butland, SIAM J. Sci. Stat. Comput. 5, 1984).

// The curve through points whose x rises: the integral of y from one x to another.
function curve(xs, ys) {
  const steps = xs.slice(1).map((x, i) => x - xs[i]);
  const slopes = steps.map((step, i) => (ys[i + 1] - ys[i]) / step);
  const last = slopes.length - 1;
  // At an end: by three points, but never against the slope there nor over three times it.
  const atEnd = (h0, h1, s0, s1) => {
    const d = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1);
    if (Math.sign(d) !== Math.sign(s0)) return 0;
    return Math.sign(s0) !== Math.sign(s1) && Math.abs(d) > 3 * Math.abs(s0) ? 3 * s0 : d;
  };
  const tangents = xs.map((_, i) => {
    if (last === 0) return slopes[0];
    if (i === 0) return atEnd(steps[0], steps[1], slopes[0], slopes[1]);
    if (i === xs.length - 1) return atEnd(steps[last], steps[last - 1], slopes[last], slopes[last - 1]);
    if (slopes[i - 1] * slopes[i] <= 0) return 0;
    const a = 2 * steps[i] + steps[i - 1], b = steps[i] + 2 * steps[i - 1];
    return (a + b) / (a / slopes[i - 1] + b / slopes[i]);
  });
  // Of one piece, from its beginning to x.
  const piece = (i, x) => {
    const h = steps[i], t = x - xs[i];
    const c = (3 * slopes[i] - 2 * tangents[i] - tangents[i + 1]) / h;
    const d = (tangents[i] + tangents[i + 1] - 2 * slopes[i]) / (h * h);
    return ys[i] * t + (tangents[i] * t ** 2) / 2 + (c * t ** 3) / 3 + (d * t ** 4) / 4;
  };
  return (from, to) => {
    let sum = 0;
    steps.forEach((_, i) => {
      const low = Math.max(from, xs[i]), high = Math.min(to, xs[i + 1]);
      if (low < high) sum += piece(i, high) - piece(i, low);
    });
    return sum;
  };
}

// What more bits make worse is nobody's choice.
function best(points) {
  const sorted = [...points].sort((a, b) => a.rate - b.rate || b.quality - a.quality);
  return sorted.filter((one, i) => sorted.slice(0, i).every((other) => other.quality < one.quality));
}

// Points are { rate, quality }. A share: -0.2 is a fifth fewer bits. null: there is no quality that both reach.
export function bdRate(before, after) {
  const [a, b] = [best(before), best(after)];
  const low = Math.max(a[0].quality, b[0].quality), high = Math.min(a.at(-1).quality, b.at(-1).quality);
  if (a.length < 2 || b.length < 2 || low >= high) return null;
  const mean = (points) => curve(points.map(({ quality }) => quality), points.map(({ rate }) => Math.log(rate)))(low, high) / (high - low);
  return Math.exp(mean(b) - mean(a)) - 1;
}

// Two examples that are passed around with implementations, and what the one of FAU Erlangen-Nürnberg (PyPI:
// bjontegaard 1.3, method "pchip") says of them; and what is known without any.
export function checkBdRate() {
  const points = (rates, qualities) => rates.map((rate, i) => ({ rate, quality: qualities[i] }));
  const one = points([9487.76, 4593.6, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851]);
  const other = points([9787.8, 4469, 2451.52, 1356.24], [40.121, 38.651, 36.97, 34.987]);
  const third = points([686.76, 309.58, 157.11, 85.95], [40.28, 37.18, 34.24, 31.42]);
  const fourth = points([893.34, 407.8, 204.93, 112.75], [40.39, 37.21, 34.17, 31.24]);
  const fewer = one.map(({ rate, quality }) => ({ rate: rate * 0.8, quality }));
  const examples = [[one, other, -0.04417485350589], [third, fourth, 0.31379878202398], [one, fewer, -0.2], [one.slice(0, 2), fewer.slice(0, 2), -0.2]];
  for (const [before, after, known] of examples) {
    const found = bdRate(before, after);
    if (!(Math.abs(found - known) < 1e-9)) throw new Error(`the BD-rate of an example is ${found}, not ${known}`);
  }
  const worse = { rate: 20_000, quality: 35 };
  if (bdRate([...one, worse], fewer) !== bdRate(one, fewer)) throw new Error('a point that nobody would choose counts');
  if (bdRate(one, third.slice(2)) !== null) throw new Error('curves without a common quality are compared');
}
