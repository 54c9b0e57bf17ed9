import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where systems keep the authorities they trust; git knows its own, but not together with more. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * The environment with the authorities of NODE_EXTRA_CA_CERTS for git, too: Node adds them to those it knows, git only takes one file in
 * place of its own. What was set for git by name stays.
 */
export async function withAuthorities(env: NodeJS.ProcessEnv, dir: string): Promise<NodeJS.ProcessEnv> {
  if (!env.NODE_EXTRA_CA_CERTS || env.GIT_SSL_CAINFO) return env;
  // One that cannot be read counts for nothing: so it is for Node.
  const extra = await readFile(env.NODE_EXTRA_CA_CERTS, 'utf8').catch(() => null);
  if (extra === null) return env;
  const file = join(dir, 'authorities.pem');
  await writeFile(file, `${await known(env)}\n${extra}`, { mode: 0o600 });
  return { ...env, GIT_SSL_CAINFO: file };
}

async function known(env: NodeJS.ProcessEnv): Promise<string> {
  for (const file of env.SSL_CERT_FILE ? [env.SSL_CERT_FILE] : SYSTEM_FILES) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return text;
  }
  return (await import('node:tls')).rootCertificates.join('\n');
}
