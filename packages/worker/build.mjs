// Bundles the worker into one file that Node 20 runs without anything installed.
import { build } from 'esbuild';

await build({
  entryPoints: [new URL('src/main.ts', import.meta.url).pathname],
  outfile: process.argv[2] ?? new URL('dist/worker.mjs', import.meta.url).pathname,
  bundle: true,
  platform: 'node',
  target: 'node20.20',
  format: 'esm',
  legalComments: 'none',
  minifySyntax: true,
  logLevel: 'warning',
});
