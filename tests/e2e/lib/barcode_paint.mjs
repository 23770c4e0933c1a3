// Paints the strip that bench/barcode.h describes into the luma plane of an I420 picture.
export function paintBarcode(luma, width, height, frame, clock) {
  const columns = 20, rows = 4, rowHeight = Math.floor(height / 15);
  const code = [0, (frame >> 16) & 255, (frame >> 8) & 255, frame & 255, ...[24, 16, 8, 0].map((shift) => Math.floor(clock / 2 ** shift) & 255)];
  let crc = 0xffff;
  for (const byte of code) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; ++bit) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  code.push(crc >> 8, crc & 255);
  for (let y = 0; y < rows * rowHeight; ++y) {
    for (let x = 0; x < width; ++x) {
      const bit = Math.floor(y / rowHeight) * columns + Math.floor((x * columns) / width);
      luma[y * width + x] = code[bit >> 3] & (0x80 >> (bit & 7)) ? 220 : 30;
    }
  }
}
