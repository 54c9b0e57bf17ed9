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

/** The entry stays out of the bundle it starts: CommonJS, because Node begins that a third faster than a module. */
const programApart = {
  name: 'program-apart',
  setup(bundle) {
    bundle.onResolve({ filter: /^\.\/program\.ts$/ }, () => ({ path: './program.mjs', external: true }));
  },
};

const common = {
  write: false,
  outdir,
  bundle: true,
  platform: 'node',
  target: 'node20.20',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  define: { HANGAR_VERSION: JSON.stringify(version) },
};
const entry = await build({
  ...common,
  entryPoints: { main: join(here, 'src/main.ts') },
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  plugins: [programApart],
});
const program = await build({
  ...common,
  entryPoints: { program: join(here, 'src/program.ts') },
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunks/[name]-[hash]',
  splitting: true,
  format: 'esm',
  keepNames: true,
  plugins: [oneLanguage],
  // The keychain is a native add-on: it is loaded from node_modules when a token is stored, and may be missing.
  external: ['@napi-rs/keyring'],
  // CommonJS inside the bundle may call require.
  banner: {
    js: "import{createRequire as __hangarRequire}from'node:module';const require=__hangarRequire(import.meta.url);",
  },
});

// Parts first, the entry last, each at once: a command that starts meanwhile finds the old bundle or the new one, whole.
const outputFiles = [...program.outputFiles, ...entry.outputFiles];
mkdirSync(join(outdir, 'chunks'), { recursive: true });
for (const { path, contents } of outputFiles.sort((one, other) => rank(one.path) - rank(other.path))) {
  writeFileSync(`${path}.part`, contents);
  renameSync(`${path}.part`, path);
}
function rank(path) {
  return path.endsWith('main.cjs') ? 2 : path.endsWith('program.mjs') ? 1 : 0;
}

// Commands that run still load parts of the bundle they began with, so old ones stay for a day.
const current = new Set(outputFiles.map(({ path }) => path));
for (const name of readdirSync(join(outdir, 'chunks'))) {
  const path = join(outdir, 'chunks', name);
  if (!current.has(path) && Date.now() - statSync(path).mtimeMs > 24 * 3600 * 1000) rmSync(path, { force: true });
}
