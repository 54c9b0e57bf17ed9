import type { WorkOrder } from '@hangar/contract';

/** Parts of names of variables that hold secrets; AUTHOR is no AUTH. */
const SECRET_NAME =
  /KEY|TOKEN|SECRET|PASS|PWD|AUTH(?!OR(?!I))|CRED|PRIVATE|CERT|SIGNATURE|SIGNING|SALT|COOKIE|SESSION|BEARER|JWT|DSN|(^|_)(PAT|PIN|PW|OTP)(_|$)/i;
/** Under any other name, a shorter value would hide words that logs are full of. */
const LONG_VALUE = 8;
/** `production`, `development`; longer ones may be made by chance. */
const PLAIN_WORD = /^[a-z]{1,16}$/;

/**
 * Whether a variable of a job is masked. People give secrets and settings the same way: what is named like a secret is one, and of
 * the rest what may be one by its form. docs/security.md says it for people.
 */
export function isSecret(name: string, value: string): boolean {
  return SECRET_NAME.test(name) || (value.length >= LONG_VALUE && !PLAIN_WORD.test(value));
}

/** Everything of an order that must not be shown. */
export function secretsOf(order: Pick<WorkOrder, 'env' | 'credential' | 'repo'>): string[] {
  const secrets = Object.entries(order.env)
    .filter(([name, value]) => isSecret(name, value))
    .map(([, value]) => value);
  if (order.credential) {
    secrets.push(order.credential.value);
    if (order.credential.username) {
      // As git sends it in a Basic header.
      secrets.push(`${order.credential.username}:${order.credential.value}`);
    }
  }
  const inside = /^https?:\/\/([^/@]*)@/.exec(order.repo.url ?? '')?.[1];
  if (inside) secrets.push(inside, ...inside.split(':').slice(-1).map(decode));
  return secrets;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
