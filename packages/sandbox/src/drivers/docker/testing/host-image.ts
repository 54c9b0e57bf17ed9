import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, readdir, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { promisify } from 'node:util';

const run = promisify(execFile);

const PROGRAMS = (
  'sh bash env cat ls mkdir rmdir rm cp mv ln chmod chown sleep echo printf true false test [ head tail wc sort uniq cut tr seq ' +
  'date id uname touch pwd basename dirname tee dd df du stat mktemp readlink realpath sha256sum timeout nproc yes od base64 expr ' +
  'nohup sed grep find xargs tar gzip setsid mkfifo stty tty script kill ps diff patch awk ssh'
).split(' ');
const SEARCH = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];
const NODE_NEEDS = ['libstdc++.so.6', 'libgcc_s.so.1', 'libdl.so.2', 'libpthread.so.0', 'libm.so.6', 'libatomic.so.1'];

export interface HostImage {
  /** Changes with what is in it. */
  readonly tag: string;
  readonly tar: () => Promise<Readable>;
}

/**
 * A small glibc image made of programs of this machine, because no registry need be in reach: a shell, its usual
 * companions and git. `slim` leaves out libstdc++, as slim images do; `withoutGit` leaves out git.
 */
export async function hostImage(kind: 'full' | 'slim' | 'without-git'): Promise<HostImage> {
  const files = new Set<string>();
  const binaries: string[] = [];
  const programs = kind === 'without-git' ? PROGRAMS : [...PROGRAMS, 'git'];
  for (const name of programs) {
    for (const folder of SEARCH) {
      const file = path.join(folder, name);
      if (!(await exists(file))) continue;
      binaries.push(await addLinks(file, files));
      break;
    }
  }
  if (kind !== 'without-git') {
    const { stdout } = await run('git', ['--exec-path']);
    for (const file of await walk(stdout.trim(), files)) binaries.push(file);
    await walk('/usr/share/git-core/templates', files);
  }
  for (const library of await librariesOf(binaries)) await addLinks(library, files);
  for (const name of NODE_NEEDS) {
    for (const folder of [`/usr/lib/${multiarch()}`, `/lib/${multiarch()}`, '/usr/lib64', '/lib64']) {
      if (await exists(path.join(folder, name))) await addLinks(path.join(folder, name), files);
    }
  }
  if (kind === 'slim') for (const file of files) if (/\/lib(stdc\+\+|gcc_s)\.so/.test(file)) files.delete(file);
  await walk('/usr/lib/locale/C.utf8', files);
  for (const link of ['/bin', '/sbin', '/lib', '/lib64']) {
    const stat = await lstat(link).catch(() => null);
    if (stat?.isSymbolicLink()) files.add(link);
  }
  const list = [...files].sort();
  const hash = createHash('sha256').update('4');
  for (const file of list) {
    const { size, mtimeMs } = await lstat(file);
    hash.update(`${file}\0${size}\0${mtimeMs}\0`);
  }
  return { tag: `${kind}-${hash.digest('hex').slice(0, 12)}`, tar: () => pack(list) };
}

/** The file and every link on the way to it; gives the file at the end. */
async function addLinks(file: string, files: Set<string>): Promise<string> {
  const folder = await realpath(path.dirname(file));
  const here = path.join(folder, path.basename(file));
  files.add(here);
  const stat = await lstat(here);
  return stat.isSymbolicLink() ? addLinks(path.resolve(folder, await readlink(here)), files) : here;
}

async function walk(folder: string, files: Set<string>): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (entry.isDirectory()) continue;
    found.push(await addLinks(path.join(entry.parentPath, entry.name), files));
  }
  return found;
}

async function librariesOf(binaries: string[]): Promise<Set<string>> {
  const libraries = new Set<string>();
  for (let at = 0; at < binaries.length; at += 100) {
    // ldd ends with 1 when a file is a script.
    const { stdout } = await run('ldd', binaries.slice(at, at + 100), { maxBuffer: 64 * 1024 * 1024 }).catch(
      (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
    );
    for (const [, library] of stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)) if (library) libraries.add(library);
  }
  return libraries;
}

function multiarch(): string {
  return process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
}

/** A tar of these files and of the folders and accounts that every system has. */
async function pack(files: string[]): Promise<Readable> {
  const folder = await skeleton();
  const own = ['etc', 'etc/passwd', 'etc/group', 'etc/nsswitch.conf', 'tmp', 'root', 'var', 'var/tmp', 'run'];
  const options = ['--create', '--no-recursion', '--numeric-owner', '-C', '/', '--null', '--files-from=-'];
  const tar = spawn('tar', [...options, '-C', folder, ...own], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  tar.stderr.on('data', (data) => {
    complaint += data;
  });
  const output = new PassThrough();
  tar.stdout.pipe(output, { end: false });
  tar.once('close', (code) => {
    void rm(folder, { recursive: true, force: true });
    if (code === 0) output.end();
    else output.destroy(new Error(`tar ended with ${code}: ${complaint.slice(0, 500)}`));
  });
  tar.stdin.end(files.map((file) => `${file.slice(1)}\0`).join(''));
  return output;
}

async function skeleton(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'hangar-image-'));
  for (const [name, mode] of Object.entries({
    etc: 0o755,
    tmp: 0o1777,
    root: 0o700,
    var: 0o755,
    'var/tmp': 0o1777,
    run: 0o755,
  })) {
    await mkdir(path.join(folder, name));
    await chmod(path.join(folder, name), mode);
  }
  const passwd = 'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:ann:/home/ann:/bin/sh\n';
  await writeFile(path.join(folder, 'etc/passwd'), passwd);
  await writeFile(path.join(folder, 'etc/group'), 'root:x:0:\nann:x:1000:\n');
  await writeFile(path.join(folder, 'etc/nsswitch.conf'), 'passwd: files\nhosts: files dns\n');
  return folder;
}

const exists = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  );
