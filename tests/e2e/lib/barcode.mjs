// Reads the strip that bench/barcode.h describes. `luma(x, y)` gives 0 to 255.
// Self-contained, since its text is also run inside browsers.
export function readBarcode(width, height, luma) {
  const columns = 20, rows = 4, rowHeight = Math.floor(height / 15);
  const means = [];
  for (let row = 0; row < rows; ++row) {
    for (let column = 0; column < columns; ++column) {
      const left = Math.floor((column * width) / columns), right = Math.floor(((column + 1) * width) / columns);
      const marginX = Math.floor((right - left) / 4), marginY = Math.floor(rowHeight / 4);
      let sum = 0, count = 0;
      for (let y = row * rowHeight + marginY; y < (row + 1) * rowHeight - marginY; ++y) {
        for (let x = left + marginX; x < right - marginX; ++x, ++count) sum += luma(x, y);
      }
      means.push(sum / count);
    }
  }
  const darkest = Math.min(...means), brightest = Math.max(...means);
  if (!(brightest - darkest >= 60)) return null;
  const code = new Array(10).fill(0);
  means.forEach((mean, bit) => {
    if (mean > (darkest + brightest) / 2) code[bit >> 3] |= 0x80 >> (bit & 7);
  });
  let crc = 0xffff;
  for (const byte of code.slice(0, 8)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; ++bit) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  if (crc !== ((code[8] << 8) | code[9])) return null;
  const clock = ((code[4] << 24) | (code[5] << 16) | (code[6] << 8) | code[7]) >>> 0;
  return { source: code[0], frame: (code[1] << 16) | (code[2] << 8) | code[3], clock };
}

// The clock in the picture counts modulo 2^32 ms; this is the time nearest to `now`.
export function clockToUnixMs(clock, now) {
  const turn = 2 ** 32;
  return clock + Math.round((now - clock) / turn) * turn;
}

// Draws the strip that readBarcode() reads onto a canvas. Self-contained for the same reason.
function drawBarcode(context, width, height, { source, frame, clock }) {
  const columns = 20, rows = 4, rowHeight = Math.floor(height / 15);
  const code = [source, frame >> 16, frame >> 8, frame, clock >>> 24, clock >>> 16, clock >>> 8, clock].map((one) => one & 0xff);
  let crc = 0xffff;
  for (const byte of code) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; ++bit) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  code.push(crc >> 8, crc & 0xff);
  for (let bit = 0; bit < rows * columns; ++bit) {
    const row = Math.floor(bit / columns), column = bit % columns;
    const left = Math.floor((column * width) / columns), right = Math.floor(((column + 1) * width) / columns);
    context.fillStyle = code[bit >> 3] & (0x80 >> (bit & 7)) ? '#fff' : '#000';
    context.fillRect(left, row * rowHeight, right - left, rowHeight);
  }
}

/* global document, performance */
// A track of pictures with barcodes, their frames counted from 0, and what ends it. Runs in the page.
function makePicture(draw, { source, width, height, fps }) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  const began = performance.now();
  let last = -1;
  const paint = () => {
    const frame = Math.floor(((performance.now() - began) * fps) / 1000);
    if (frame === last) return;
    last = frame;
    context.fillStyle = `hsl(${(frame * 3) % 360} 60% 40%)`;
    context.fillRect(0, 0, width, height);
    draw(context, width, height, { source, frame, clock: Date.now() % 2 ** 32 });
  };
  paint();
  const timer = setInterval(paint, 1000 / fps / 2);
  return { track: canvas.captureStream(fps).getVideoTracks()[0], stop: () => clearInterval(timer) };
}
// Its text, a function of { source, width, height, fps }.
export const makePictureText = `(options) => (${makePicture})(${drawBarcode}, options)`;
