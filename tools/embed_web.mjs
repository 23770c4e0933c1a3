// Turns the built pages into one C++ file and one blob: node tools/embed_web.mjs DIST OUT
//
// OUT/web_files.bin holds every file's bytes, plain, gzip and brotli, each compressed as hard as it goes;
// OUT/web_files.cc takes them in with .incbin and has the table that src/server/web_files.h promises.
// Compiling it costs nothing: the compiler never sees the bytes. A compressed form that saves less than a
// tenth is left out.

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join, relative, resolve, sep } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const contentTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

function brotli(bytes) {
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

const worthwhile = (bytes, whole) => (bytes.length < whole.length * 0.9 ? bytes : Buffer.alloc(0));

function describe(dist, file) {
  const identity = readFileSync(file);
  const path = `/${relative(dist, file).split(sep).join('/')}`;
  const contentType = contentTypes[extname(file)];
  if (contentType === undefined) throw new Error(`${path}: no content type is known for this kind of file`);
  if (!/^[\w./-]+$/.test(path)) throw new Error(`${path}: a name with unusual characters`);
  return {
    path,
    contentType,
    etag: `"${createHash('sha256').update(identity).digest('hex').slice(0, 20)}"`,
    isImmutable: /^\/assets\/.+-[\w-]{8}\.\w+$/.test(path), // Vite put a hash into the name.
    identity,
    gzip: worthwhile(gzipSync(identity, { level: 9 }), identity),
    brotli: worthwhile(brotli(identity), identity),
  };
}

function write(files, out) {
  const blob = [];
  let size = 0;
  const place = (bytes) => {
    if (bytes.length === 0) return '{}';
    blob.push(bytes);
    size += bytes.length;
    return `slice(${size - bytes.length}, ${bytes.length})`;
  };
  const rows = files.map(
    (file) =>
      `    {${JSON.stringify(file.path)}, ${JSON.stringify(file.contentType)}, ${JSON.stringify(file.etag)}, ` +
      `${file.isImmutable},\n     ${place(file.identity)}, ${place(file.gzip)}, ${place(file.brotli)}},\n`,
  );
  const blobPath = join(out, 'web_files.bin');
  const bytes = Buffer.concat(blob);
  const digest = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(blobPath, bytes);
  writeFileSync(
    join(out, 'web_files.cc'),
    `// Made by tools/embed_web.mjs. Blob ${digest}.
#include "server/web_files.h"

#include <algorithm>
#include <array>

// The section keeps the blob read-only; the local labels keep its names out of everybody's way.
asm(R"(
  .pushsection .rodata
  .balign 16
  .globl stoa_web_blob
  .hidden stoa_web_blob
  .type stoa_web_blob, %object
stoa_web_blob:
  .incbin ${JSON.stringify(blobPath)}
  .size stoa_web_blob, . - stoa_web_blob
  .popsection
)");
extern "C" __attribute__((visibility("hidden"))) const std::uint8_t stoa_web_blob[];

namespace stoa::server {
namespace {

Bytes slice(std::size_t offset, std::size_t length) { return {stoa_web_blob + offset, length}; }

const std::array<WebFile, ${rows.length}>& table() {
  static const std::array<WebFile, ${rows.length}> files{{
${rows.join('')}  }};
  return files;
}

}  // namespace

std::span<const WebFile> web_files() { return table(); }

const WebFile* find_web_file(std::string_view path) {
  auto files = web_files();
  auto found = std::lower_bound(files.begin(), files.end(), path,
                                [](const WebFile& file, std::string_view wanted) { return file.path < wanted; });
  return found != files.end() && found->path == path ? &*found : nullptr;
}

}  // namespace stoa::server
`,
  );
  return { size, count: files.length };
}

if (process.argv.length !== 4) {
  console.error('usage: node tools/embed_web.mjs DIST OUT');
  process.exit(2);
}
const dist = resolve(process.argv[2]);
const out = resolve(process.argv[3]);
mkdirSync(out, { recursive: true });
const files = filesUnder(dist).map((file) => describe(dist, file));
files.sort((a, b) => (a.path < b.path ? -1 : 1));
for (const page of ['/index.html', '/watch.html']) {
  if (!files.some((file) => file.path === page)) throw new Error(`${dist} holds no ${page}`);
}
const { size, count } = write(files, out);
const sum = (kind) => files.reduce((total, file) => total + (file[kind].length || file.identity.length), 0);
console.log(
  `web: ${count} files, ${sum('identity')} bytes (gzip ${sum('gzip')}, brotli ${sum('brotli')}), blob ${size}`,
);
