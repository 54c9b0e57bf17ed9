// Bundles the worker into one file that Node 20 runs without anything installed.
import { build } from 'esbuild';

const { metafile } = await build({
  entryPoints: [new URL('src/main.ts', import.meta.url).pathname],
  outfile: process.argv[2] ?? new URL('dist/worker.mjs', import.meta.url).pathname,
  bundle: true,
  platform: 'node',
  target: 'node20.20',
  format: 'esm',
  legalComments: 'none',
  minify: true,
  metafile: true,
  logLevel: 'warning',
});

// It starts once for every job; zod alone would double that.
const heavy = Object.values(metafile.outputs)
  .flatMap(({ inputs }) => Object.entries(inputs))
  .find(([path, { bytesInOutput }]) => bytesInOutput > 0 && path.includes('node_modules/zod/'));
if (heavy !== undefined) throw new Error(`${heavy[0]} is in the worker: import types, or what has no schema`);
