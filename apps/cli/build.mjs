// Bundles the command line: `node apps/cli/build.mjs`. Runs on any Node from 20.20, without a TypeScript loader.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
const outdir = resolve(process.argv[2] ?? join(here, 'dist'));

/** zod carries its messages in fifty languages; ours are written in the contract. */
const oneLanguage = {
  name: 'one-language',
  setup(bundle) {
    bundle.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

const { outputFiles } = await build({
  write: false,
  entryPoints: { main: join(here, 'src/main.ts') },
  outdir,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.20',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [oneLanguage],
  define: { HANGAR_VERSION: JSON.stringify(version) },
  // The keychain is a native add-on: it is loaded from node_modules when a token is stored, and may be missing.
  external: ['@napi-rs/keyring'],
  // CommonJS inside the bundle may call require.
  banner: {
    js: "import{createRequire as __hangarRequire}from'node:module';const require=__hangarRequire(import.meta.url);",
  },
});

// Parts first, the entry last and at once: a command that starts meanwhile finds the old bundle or the new one, whole.
const main = join(outdir, 'main.mjs');
mkdirSync(join(outdir, 'chunks'), { recursive: true });
for (const { path, contents } of outputFiles) writeFileSync(path === main ? `${path}.part` : path, contents);
renameSync(`${main}.part`, main);

// Commands that run still load parts of the bundle they began with, so old ones stay for a day.
const current = new Set(outputFiles.map(({ path }) => path));
for (const name of readdirSync(join(outdir, 'chunks'))) {
  const path = join(outdir, 'chunks', name);
  if (!current.has(path) && Date.now() - statSync(path).mtimeMs > 24 * 3600 * 1000) rmSync(path, { force: true });
}
