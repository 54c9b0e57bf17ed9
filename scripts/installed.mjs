// Exit code 0: node_modules holds what the lockfile says. 1: it does not. 2: this machine's Node will not do.
// Plain JavaScript for Node 20: it runs before anything is installed.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 20)) {
  console.error(`Hangar needs Node 20.20 or newer; this is ${process.version}.`);
  process.exit(2);
}

const packagesOf = (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).packages;

function isInstalled() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return false;
  const there = packagesOf('node_modules/.package-lock.json');
  return Object.entries(packagesOf('package-lock.json')).every(([path, wanted]) => {
    const isOurs = !path.includes('node_modules/');
    const got = there[path];
    if (isOurs || (wanted.optional && got === undefined)) return true;
    return got !== undefined && got.version === wanted.version && existsSync(join(root, path));
  });
}

const installed = isInstalled();
if (installed && !existsSync(join(root, 'node_modules/.bin/node')) && (major < 22 || (major === 22 && minor < 18))) {
  console.error(`There is no Node package for ${process.platform} ${process.arch}: install Node 22.18 or newer.`);
  process.exit(2);
}
process.exit(installed ? 0 : 1);
