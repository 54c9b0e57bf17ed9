import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import path from 'node:path';

/** Programs and libraries. A person's home is never among them. */
const SYSTEM_FOLDERS = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/opt',
  '/nix/store',
  '/home/linuxbrew/.linuxbrew',
];

/**
 * What programs need of /etc. A list of what may be seen, because what is secret there differs from machine to machine
 * (shadow, host keys, ssl/private, sudoers, network passwords, settings of other services).
 */
const ETC = [
  'alternatives',
  'bash.bashrc',
  'bash_completion.d',
  'bindresvport.blacklist',
  'ca-certificates',
  'ca-certificates.conf',
  'chromium',
  'chromium.d',
  'crypto-policies',
  'debian_version',
  'ethertypes',
  'fonts',
  'gai.conf',
  'gitconfig',
  'gitattributes',
  'glvnd',
  'host.conf',
  'hostname',
  'hosts',
  'inputrc',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'locale.alias',
  'locale.conf',
  'localtime',
  'login.defs',
  'lsb-release',
  'magic',
  'magic.mime',
  'mime.types',
  'mke2fs.conf',
  'nanorc',
  'networks',
  'nsswitch.conf',
  'npmrc',
  'os-release',
  'pip.conf',
  'pki/ca-trust',
  'pki/tls/cert.pem',
  'pki/tls/certs',
  'pki/java',
  'pki/nssdb',
  'profile',
  'profile.d',
  'protocols',
  'redhat-release',
  'resolv.conf',
  'rpc',
  'services',
  'shells',
  'skel',
  'ssh/ssh_config',
  'ssh/ssh_config.d',
  'ssh/ssh_known_hosts',
  'ssl/cert.pem',
  'ssl/certs',
  'ssl/openssl.cnf',
  'static',
  'terminfo',
  'timezone',
  'vim',
  'wgetrc',
  'xattr.conf',
  'xdg',
  'xml',
  'sgml',
  'X11',
];

/** Settings of language runtimes, whose folders carry a version. */
const ETC_RUNTIMES =
  /^(java|jvm|openjdk|maven|gradle|ant|perl|php|python|python3|lua|R|ruby|ghc|mono|dotnet|emacs)([-.0-9].*)?$/;

/** Arguments of bubblewrap that show the system read-only, links as links. */
export async function systemView(): Promise<string[]> {
  const args: string[] = [];
  for (const folder of SYSTEM_FOLDERS) args.push(...(await show(folder)));
  const runtimes = (await readdir('/etc').catch(() => [])).filter((name) => ETC_RUNTIMES.test(name));
  for (const name of [...new Set([...ETC, ...runtimes])].sort()) args.push(...(await show(path.join('/etc', name))));
  args.push(...(await resolverFolder()));
  args.push(...(await show('/sys/devices/system')));
  return args;
}

/** The folders above these paths, made so that everybody may pass: bubblewrap itself closes them to other accounts. */
export function foldersAbove(...files: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const file of files) {
    const parts = file.split('/').slice(1, -1);
    for (let i = 1; i <= parts.length; i += 1) folders.add(`/${parts.slice(0, i).join('/')}`);
  }
  return [...folders].sort().flatMap((folder) => ['--dir', folder]);
}

/** Whether a unit sees this path as part of the system. */
export function isSystemPath(file: string): boolean {
  return SYSTEM_FOLDERS.some((folder) => file === folder || file.startsWith(`${folder}/`));
}

async function show(file: string): Promise<string[]> {
  const stat = await lstat(file).catch(() => null);
  if (!stat) return [];
  const how = stat.isSymbolicLink() ? ['--symlink', await readlink(file), file] : ['--ro-bind', file, file];
  return [...foldersAbove(file), ...how];
}

/** resolv.conf is often a link into /run; its folder is shown because the file is replaced when the network changes. */
async function resolverFolder(): Promise<string[]> {
  const target = await realpath('/etc/resolv.conf').catch(() => null);
  if (!target || path.dirname(target) === '/etc' || isSystemPath(target)) return [];
  return [...foldersAbove(target), '--ro-bind', path.dirname(target), path.dirname(target)];
}
