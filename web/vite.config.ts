// Builds the pages into dist/: four HTML files over one application, names of all other files hashed.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// watch.html, studio.html and meet.html name their page's files in their heads, so that they load side by side with the
// application instead of after it. Nobody who opens a channel's address waits for one script to ask for the next.
function preloadPages(): Plugin {
  return {
    name: 'stoa-preload-pages',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle, filename }) {
        const page = /(watch|studio|meet)\.html$/.exec(filename)?.[1];
        if (bundle === undefined || page === undefined) return html;
        const tags = new Set<string>();
        const visit = (file: string) => {
          const chunk = bundle[file];
          if (chunk === undefined || chunk.type !== 'chunk') return;
          const script = `<link rel="modulepreload" crossorigin href="/${file}">`;
          if (!html.includes(`/${file}"`)) tags.add(script);
          for (const css of chunk.viteMetadata?.importedCss ?? []) {
            if (!html.includes(`/${css}"`)) tags.add(`<link rel="stylesheet" crossorigin href="/${css}">`);
          }
          chunk.imports.forEach(visit);
        };
        for (const chunk of Object.values(bundle)) {
          if (chunk.type !== 'chunk' || !chunk.isDynamicEntry) continue;
          // What the player fetches late belongs to the watch page too.
          const owner = /\/pages\/(\w+)\.tsx$/.exec(chunk.facadeModuleId ?? '')?.[1] ?? 'watch';
          if (chunk.facadeModuleId !== null && owner === page) visit(chunk.fileName);
        }
        return html.replace('</head>', `  ${[...tags].join('\n    ')}\n  </head>`);
      },
    },
  };
}

// In development every /watch/…, /studio… and /meet… address is its page, and the API and media come from a server.
function pageAddresses(): Plugin {
  return {
    name: 'stoa-page-addresses',
    configureServer(server) {
      server.middlewares.use((request, _, next) => {
        if (request.url?.startsWith('/watch/')) request.url = '/watch.html';
        const [, page] = /^\/(studio|meet)(\/|\?|$)/.exec(request.url ?? '') ?? [];
        if (page !== undefined) request.url = `/${page}.html`;
        next();
      });
    },
  };
}

const backend = process.env.STOA_URL ?? 'http://127.0.0.1:8080';
const { version } = JSON.parse(readFileSync(here('./package.json'), 'utf8')) as { version: string };

export default defineConfig({
  plugins: [react(), preloadPages(), pageAddresses()],
  define: { __STOA_VERSION__: JSON.stringify(version) },
  // By number: a container may have no name for itself.
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': backend,
      '/live': backend,
      '/whip': backend,
      '/whep': backend,
      '/twirp': backend,
      '/rtc': { target: backend, ws: true },
    },
  },
  build: {
    target: ['es2022', 'chrome105', 'firefox110', 'safari16'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    sourcemap: false,
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      input: {
        page_index: here('./index.html'),
        page_watch: here('./watch.html'),
        page_studio: here('./studio.html'),
        page_meet: here('./meet.html'),
      },
      output: {
        manualChunks(id) {
          if (id.includes('/src/rtc/')) return 'rtc';
          if (id.includes('node_modules/hls.js/')) return 'hls';
          if (/node_modules\/(media-chrome|ce-la-react)\//.test(id)) return 'controls';
          if (/node_modules\/(livekit-client|@livekit|rxjs|usehooks-ts|loglevel)\//.test(id)) return 'livekit';
          if (/node_modules\/(react|react-dom|scheduler)\//.test(id)) return 'react';
          return undefined;
        },
      },
    },
  },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
});
