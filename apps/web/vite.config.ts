import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { firstPaint, scopedName } from './first-paint.tsx';
import { precompress } from './precompress.ts';

/** Mantine names everything in one module. What no page begins with stays with the pages that draw it, and so do lists of names. */
const OF_PAGES =
  /[\\/]@mantine[\\/]\w+[\\/]esm[\\/](?:components[\\/](?:Drawer|Modal|ModalBase|NumberInput|PasswordInput|Skeleton|Switch|Tabs|Textarea)[\\/]|.*\bindex\.mjs$)|[\\/]react-(?:number-format|remove-scroll|textarea-autosize)/;
/** The entry itself: a chunk that the page names. */
const ENTRY = /[\\/](?:index\.html|main\.tsx)$/;

/** `HANGAR_SERVER` names the server that `npm run dev` passes /api on to. */
export default defineConfig({
  plugins: [react(), firstPaint(), precompress()],
  css: { modules: { generateScopedName: scopedName } },
  resolve: { alias: [{ find: /^zod$/, replacement: fileURLToPath(new URL('src/zod-words.ts', import.meta.url)) }] },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': { target: process.env.HANGAR_SERVER ?? 'http://127.0.0.1:7070', changeOrigin: true } },
  },
  build: {
    target: 'es2023',
    // A data: URL would break the content security policy (fonts fall under default-src 'self').
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: true,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            // What every page begins with is one file, not one for each set of pages that share a part of it.
            { name: 'app', tags: ['$initial'], test: (id) => !OF_PAGES.test(id) && !ENTRY.test(id) },
          ],
        },
      },
    },
  },
});
