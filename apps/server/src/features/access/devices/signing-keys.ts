import { asc, desc, gt } from 'drizzle-orm';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { z } from 'zod';
import type { Tx } from '../../../platform/database/index.ts';
import { type Binding, newId, type SealedColumn, type Secrets } from '../../../platform/secrets/index.ts';
import { signingKey } from '../access-tables.ts';
import { DAY_MS, HOUR_MS, later } from './access-tokens.ts';

export const SIGNING_ALG = 'ES256';
/** How long a key signs. */
const ROTATE_MS = 90 * DAY_MS;
/** The next key is published this long before it signs, so that whoever caches the set has it by then. */
const AHEAD_MS = 2 * DAY_MS;
/** Other servers may have made a key since; asked again at most this often for a key that is not known. */
const RELOAD_MS = 1_000;

const PublicJwk = z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string() });

const binding = (kid: string): Binding => ({ table: 'signing_key', owner: 'server', row: kid, field: 'private_jwk' });

export const sealedSigningKeys: SealedColumn = {
  ...{ table: 'signing_key', id: 'kid', column: 'sealed_private_jwk' },
  bindingOf: ({ id }) => binding(id),
};

/** Keys of the access tokens, shared by all servers of one database. */
export interface SigningKeys {
  /** The key that signs now. */
  current(): Promise<{ kid: string; key: CryptoKey }>;
  /** The public key of this id; null when it is not published (any more). */
  verifier(kid: string): Promise<CryptoKey | null>;
  /** Public keys that are valid or soon will be (RFC 7517). */
  published(): Promise<{ keys: JWK[] }>;
}

interface Loaded {
  at: number;
  rows: (typeof signingKey.$inferSelect)[];
  verifiers: Map<string, CryptoKey>;
}

export function createSigningKeys(o: { db: Tx; secrets: Secrets; clock: () => Date }): SigningKeys {
  const { db, clock } = o;
  let loaded: Loaded | null = null;
  let loading: Promise<Loaded> | null = null;
  let signer: { kid: string; key: CryptoKey } | null = null;

  async function load(): Promise<Loaded> {
    const now = clock();
    const rows = await db
      .select()
      .from(signingKey)
      .where(gt(signingKey.retireAt, now))
      .orderBy(asc(signingKey.generation));
    const verifiers = new Map<string, CryptoKey>();
    for (const row of rows) verifiers.set(row.kid, await importEc(PublicJwk.parse(row.publicJwk)));
    return { at: now.getTime(), rows, verifiers };
  }

  function reload(): Promise<Loaded> {
    loading ??= load()
      .then((found) => {
        loaded = found;
        return found;
      })
      .finally(() => {
        loading = null;
      });
    return loading;
  }

  /** Two servers may get here together: the generation decides whose key it is, and both then read that one. */
  async function add(generation: number, notBefore: Date): Promise<void> {
    const pair = await generateKeyPair(SIGNING_ALG, { extractable: true });
    const kid = newId('sk');
    await db
      .insert(signingKey)
      .values({
        generation,
        kid,
        publicJwk: await exportJWK(pair.publicKey),
        sealedPrivateJwk: o.secrets.seal(JSON.stringify(await exportJWK(pair.privateKey)), binding(kid)),
        notBefore,
        retireAt: later(notBefore, ROTATE_MS + HOUR_MS),
      })
      .onConflictDoNothing();
  }

  /** Keys as they must be now: one that signs, and soon enough the next. */
  async function ensured(): Promise<Loaded> {
    const now = clock();
    const enough = ({ rows }: Loaded): boolean => {
      const newest = rows.at(-1);
      return newest !== undefined && later(newest.notBefore, ROTATE_MS - AHEAD_MS) > now;
    };
    if (loaded && enough(loaded) && now.getTime() - loaded.at < HOUR_MS) return loaded;
    let keys = await reload();
    while (!enough(keys)) {
      const last = keys.rows.at(-1) ?? (await newestEver());
      const due = last && later(last.notBefore, ROTATE_MS);
      await add((last?.generation ?? 0) + 1, due && due > now ? due : now);
      keys = await reload();
    }
    return keys;
  }

  async function newestEver(): Promise<typeof signingKey.$inferSelect | undefined> {
    const [row] = await db.select().from(signingKey).orderBy(desc(signingKey.generation)).limit(1);
    return row;
  }

  return {
    async current() {
      const keys = await ensured();
      // The oldest when none is valid yet: the clock of this server may have been set back.
      const row = keys.rows.findLast((each) => each.notBefore <= clock()) ?? keys.rows[0];
      if (!row) throw new Error('there is no signing key');
      if (signer?.kid !== row.kid) {
        const jwk = PublicJwk.extend({ d: z.string() }).parse(
          JSON.parse(o.secrets.open(row.sealedPrivateJwk, binding(row.kid)).reveal()),
        );
        signer = { kid: row.kid, key: await importEc(jwk) };
      }
      return signer;
    },
    async verifier(kid) {
      const keys = loaded ?? (await reload());
      const known = keys.verifiers.get(kid);
      if (known || clock().getTime() - keys.at < RELOAD_MS) return known ?? null;
      return (await reload()).verifiers.get(kid) ?? null;
    },
    async published() {
      const { rows } = await ensured();
      return {
        keys: rows.map((row) => ({ ...PublicJwk.parse(row.publicJwk), kid: row.kid, alg: SIGNING_ALG, use: 'sig' })),
      };
    },
  };
}

async function importEc(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, SIGNING_ALG);
  if (key instanceof Uint8Array) throw new Error('not a key of an elliptic curve');
  return key;
}
