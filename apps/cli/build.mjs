// Bundles the command line: `node apps/cli/build.mjs`. Runs on any Node from 20.20, without a TypeScript loader.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

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

/** What people type all day: all they need stands in one file, because Node takes longer to find a file than to read it. */
const OFTEN = ['commands/jobs/status', 'commands/jobs/list', 'server/api'].map((name) => `apps/cli/src/${name}.ts`);

/** What only some commands wait for: schemas (parts of the contract have none), and streams. */
const LATER = /node_modules\/(zod|eventsource-parser)\/|packages\/client\//;

/** The entry stays out of the bundle it starts: `--version` needs nothing of it. */
const programApart = {
  name: 'program-apart',
  setup(bundle) {
    bundle.onResolve({ filter: /^\.\/program\.ts$/ }, () => ({ path: './program.cjs', external: true }));
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
  // Loaded by require: import() would read all of the program for the names it exports.
  supported: { 'dynamic-import': false },
  plugins: [programApart],
});
const modules = await build({
  ...common,
  entryPoints: { program: join(here, 'src/program.ts') },
  absWorkingDir: resolve(here, '../..'),
  chunkNames: 'chunks/[name]-[hash]',
  splitting: true,
  metafile: true,
  format: 'esm',
  plugins: [oneLanguage],
  // The keychain is a native add-on: it is loaded from node_modules when a token is stored, and may be missing.
  external: ['@napi-rs/keyring'],
});
const program = await asCommonJs(modules);

/**
 * esbuild splits modules only, and Node starts CommonJS faster: each part is turned into CommonJS, and the parts that are needed
 * often go into program.cjs together. The others ask program.cjs for them, so that nothing is there twice.
 * Processor time, median of 40 (Node 24; `node -e 0` 44 ms): help 57 ms, as modules 63, all in one file 72; status without a server
 * 101 ms, as modules 178, in one file 107. On Node 20, which keeps no compiled code, help in one file takes 110. bundle.test.ts holds it.
 */
async function asCommonJs({ outputFiles, metafile }) {
  const outputs = new Map(
    Object.entries(metafile.outputs).map(([path, output]) => [basename(path), { ...output, name: basename(path) }]),
  );
  const often = new Set();
  const need = (name) => {
    if (often.has(name)) return;
    often.add(name);
    for (const { kind, path, external } of outputs.get(name).imports)
      if (kind === 'import-statement' && !external) need(basename(path));
  };
  need('program.js');
  for (const { entryPoint, name } of outputs.values()) if (OFTEN.includes(entryPoint)) need(name);
  for (const name of often)
    for (const input of Object.keys(outputs.get(name).inputs))
      if (LATER.test(input))
        throw new Error(`${input} is in what every command reads: few need it, it is loaded by those`);

  const packed = [];
  const apart = [];
  for (const { path, text } of outputFiles) {
    const isOften = often.has(basename(path));
    const { code } = await transform(text, {
      format: 'cjs',
      platform: 'node',
      target: common.target,
      supported: { 'dynamic-import': false },
      minifyWhitespace: true,
      legalComments: 'none',
    });
    const linked = code.replace(/require\("(\.[^"]*\/([^"/]+\.js))"\)/g, (call, _, name) => {
      if (!outputs.has(name)) return call;
      if (often.has(name)) return isOften ? `part("${name}")` : `require("../program.cjs").part("${name}")`;
      return `require("./${isOften ? 'chunks/' : ''}${name.replace(/\.js$/, '.cjs')}")`;
    });
    if (isOften) packed.push(`"${basename(path)}"(module,exports){${linked}}`);
    else apart.push({ path: path.replace(/\.js$/, '.cjs'), contents: linked });
  }
  const contents = `"use strict";const parts={${packed.join(',\n')}};const made=new Map();
function part(name){let module=made.get(name);if(!module){made.set(name,module={exports:{}});parts[name](module,module.exports)}return module.exports}
exports.part=part;exports.runProgram=(...given)=>part("program.js").runProgram(...given);
`;
  return [...apart, { path: join(outdir, 'program.cjs'), contents }];
}

// Parts first, the entry last, each at once: a command that starts meanwhile finds the old bundle or the new one, whole.
const outputFiles = [...program, ...entry.outputFiles];
mkdirSync(join(outdir, 'chunks'), { recursive: true });
for (const { path, contents } of outputFiles.sort((one, other) => rank(one.path) - rank(other.path))) {
  writeFileSync(`${path}.part`, contents);
  renameSync(`${path}.part`, path);
}
function rank(path) {
  return path.endsWith('main.cjs') ? 2 : path.endsWith('program.cjs') ? 1 : 0;
}

// Commands that run still load parts of the bundle they began with, so old ones stay for a day.
const current = new Set(outputFiles.map(({ path }) => path));
for (const name of readdirSync(join(outdir, 'chunks'))) {
  const path = join(outdir, 'chunks', name);
  if (!current.has(path) && Date.now() - statSync(path).mtimeMs > 24 * 3600 * 1000) rmSync(path, { force: true });
}
