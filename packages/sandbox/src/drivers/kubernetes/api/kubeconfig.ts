import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { HangarError } from '@hangar/contract';
import { parse } from 'yaml';
import { z } from 'zod';

const text = z.string().optional().catch(undefined);
const flag = z.boolean().optional().catch(undefined);

const Cluster = z.object({
  server: z.string(),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': flag,
  'tls-server-name': text,
  'proxy-url': text,
});
const Exec = z.object({
  apiVersion: z.string(),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  installHint: text,
  provideClusterInfo: flag,
});
const User = z.object({
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  exec: Exec.nullish(),
  'auth-provider': z.object({ name: z.string() }).nullish(),
});
const Context = z.object({ cluster: z.string(), user: z.string().optional(), namespace: text });
const named = <T extends z.ZodType, K extends string>(key: K, of: T) =>
  z
    .array(
      z.object({ name: z.string(), [key]: of.nullish() } as { name: z.ZodString } & Record<
        K,
        z.ZodType<z.output<T> | null | undefined>
      >),
    )
    .nullish();
const File = z.object({
  clusters: named('cluster', Cluster),
  users: named('user', User),
  contexts: named('context', Context),
  'current-context': text,
});
export type Cluster = z.infer<typeof Cluster>;
export type User = z.infer<typeof User>;
export type Exec = z.infer<typeof Exec>;

/** What one or more kubeconfig files say together: of two things with one name the first counts, as with kubectl. */
export interface Kubeconfig {
  readonly current: string | null;
  readonly contexts: ReadonlyMap<
    string,
    { readonly cluster: string; readonly user: string; readonly namespace: string | null }
  >;
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly users: ReadonlyMap<string, User>;
}

/**
 * Reads the files that exist. Names of files inside are made absolute: they are relative to the file they stand in.
 * @throws HangarError cluster_not_connected when a file is there and cannot be read
 */
export async function readKubeconfig(files: readonly string[]): Promise<Kubeconfig | null> {
  const clusters = new Map<string, Cluster>();
  const users = new Map<string, User>();
  const contexts = new Map<string, { cluster: string; user: string; namespace: string | null }>();
  let current: string | null = null;
  let found = false;
  for (const file of files) {
    const source = await readFile(file, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw unreadable(file, error);
    });
    if (source === null || source.trim() === '') continue;
    const parsed = parseFile(file, source);
    found = true;
    const inside = (name: string | undefined) => (name ? path.resolve(path.dirname(file), name) : undefined);
    for (const { name, cluster } of parsed.clusters ?? []) {
      if (!cluster || clusters.has(name)) continue;
      clusters.set(name, { ...cluster, 'certificate-authority': inside(cluster['certificate-authority']) });
    }
    for (const { name, user } of parsed.users ?? []) {
      if (!user || users.has(name)) continue;
      users.set(name, {
        ...user,
        tokenFile: inside(user.tokenFile),
        'client-certificate': inside(user['client-certificate']),
        'client-key': inside(user['client-key']),
        // A command with a folder in it is relative to the file too; a bare name is looked up on PATH.
        ...(user.exec?.command.includes('/')
          ? { exec: { ...user.exec, command: inside(user.exec.command) ?? user.exec.command } }
          : {}),
      });
    }
    for (const { name, context } of parsed.contexts ?? []) {
      if (!context || contexts.has(name)) continue;
      contexts.set(name, { cluster: context.cluster, user: context.user ?? '', namespace: context.namespace || null });
    }
    current ??= parsed['current-context'] || null;
  }
  return found ? { current, contexts, clusters, users } : null;
}

function parseFile(file: string, source: string): z.infer<typeof File> {
  let value: unknown;
  try {
    value = parse(source);
  } catch (error) {
    throw unreadable(file, error);
  }
  const parsed = File.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unreadable(file, new Error(`${issue?.path.join('.')}: ${issue?.message}`));
}

/** Never with words of the file itself: it holds keys. */
function unreadable(file: string, error: unknown): HangarError {
  const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : '';
  return new HangarError('cluster_not_connected', {
    message: `The kubeconfig ${file} cannot be read: ${why.replace(/[.:]$/, '')}.`,
    wayOut: 'Correct the file; kubectl config view shows what kubectl reads in it.',
    cause: error,
  });
}
