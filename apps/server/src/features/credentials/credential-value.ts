import { createPrivateKey } from 'node:crypto';
import { HangarError, type NewCredential } from '@hangar/contract';

const PEM = /^-----BEGIN ((?:[A-Z0-9]+ )*)PRIVATE KEY-----\n([\s\S]+)\n-----END \1PRIVATE KEY-----$/;
const OPENSSH_MAGIC = 'openssh-key-v1\0';

/**
 * The value as it is kept: without the blanks and line ends that pasting adds, and in a form that git can use without asking anyone.
 * @throws HangarError validation_failed, naming the field; never with the value in it
 */
export function checkedValue(kind: NewCredential['kind'], value: string): string {
  return kind === 'https-token' ? checkedToken(value.trim()) : checkedKey(value.replace(/\r\n?/g, '\n').trim());
}

/** Lines of a known_hosts file (sshd(8)); null when there is none. */
export function checkedKnownHosts(text: string | undefined): string | null {
  const lines = (text ?? '').split(/\r\n?|\n/).map((line) => line.trim());
  const entries = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (entries.length === 0) return null;
  for (const entry of entries) {
    if (!/^(@[a-z-]+\s+)?[!-~]+\s+(ssh|ecdsa|sk)-[a-z0-9@.-]+\s+[A-Za-z0-9+/]+=*(\s+[^\0]*)?$/.test(entry))
      throw refused('knownHosts', 'This is not made of lines of a known_hosts file: host, key type, key.');
  }
  return `${entries.join('\n')}\n`;
}

function checkedToken(token: string): string {
  if (token === '') throw refused('value', 'The token is empty.');
  if (token.startsWith('-----BEGIN')) throw refused('value', 'This is a private key. Give it with the kind ssh-key.');
  if (/[\s\p{Cc}]/u.test(token)) throw refused('value', 'A token has no blanks or line ends inside.');
  return token;
}

function checkedKey(key: string): string {
  if (/^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ /.test(key) || key.includes('BEGIN PUBLIC KEY'))
    throw refused('value', 'This is the public key. Give the private one: the file without .pub.');
  if (key.startsWith('PuTTY-User-Key-File'))
    throw refused('value', 'This is a key of PuTTY. Export it in OpenSSH form.');
  const [, label, body] = PEM.exec(key) ?? [];
  if (label === undefined || body === undefined)
    throw refused('value', 'This is not a private key in OpenSSH or PEM form.');
  if (label.startsWith('ENCRYPTED') || /^Proc-Type: *4,ENCRYPTED/m.test(body)) throw protectedKey();
  if (label === 'OPENSSH ') checkOpenSsh(body);
  else checkPem(key);
  return `${key}\n`; // ssh refuses a key whose last line does not end
}

/** openssh PROTOCOL.key: magic, then the name of the cipher, which is `none` for a key without a passphrase. */
function checkOpenSsh(body: string): void {
  const bytes = Buffer.from(body, 'base64');
  const from = OPENSSH_MAGIC.length;
  if (bytes.toString('latin1', 0, from) !== OPENSSH_MAGIC || bytes.length < from + 4) throw broken();
  const cipher = bytes.toString('latin1', from + 4, from + 4 + Math.min(bytes.readUInt32BE(from), 100));
  if (!/^[a-z0-9@.-]+$/.test(cipher)) throw broken();
  if (cipher !== 'none') throw protectedKey();
  // The sizes of what follows: key derivation (none), its options (empty), number of keys, public key, private key.
  let at = from + 4 + cipher.length;
  for (const part of ['string', 'string', 'number', 'string', 'string']) {
    if (at + 4 > bytes.length) throw broken();
    at += 4 + (part === 'string' ? bytes.readUInt32BE(at) : 0);
  }
  if (at > bytes.length) throw broken();
}

function checkPem(key: string): void {
  try {
    createPrivateKey(key);
  } catch {
    throw broken();
  }
}

const broken = () => refused('value', 'The private key is damaged or cut off.');
const protectedKey = () =>
  refused('value', 'The key is protected by a passphrase, which nobody can type where the job runs. Give one without.');

function refused(field: string, message: string): HangarError {
  return new HangarError('validation_failed', {
    message: `${field}: ${message}`,
    details: { issues: [{ field, message }] },
  });
}
