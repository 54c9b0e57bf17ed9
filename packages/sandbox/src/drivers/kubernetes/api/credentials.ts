import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { HangarError } from '@hangar/contract';
import { z } from 'zod';
import type { Cluster, Exec, User } from './kubeconfig.ts';

const TOKEN_FILE_AGE_MS = 60_000;
const EXEC_MS = 60_000;
/** Asked for again that long before it ends. */
const EXPIRES_EARLY_MS = 60_000;

/** How this server proves who it is: a header, a client certificate, or both. */
export interface Proof {
  readonly authorization?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The proof as it is now; `fresh` when the one in hand was refused. @throws HangarError cluster_not_connected */
export type Credentials = (o: { fresh: boolean }) => Promise<Proof>;

/** A token that is renewed in its file, as Kubernetes does for pods. */
export function tokenFile(file: string): Credentials {
  let known: { proof: Proof; at: number } | null = null;
  return async ({ fresh }) => {
    if (known && !fresh && performance.now() - known.at < TOKEN_FILE_AGE_MS) return known.proof;
    const token = (await readText(file)).trim();
    known = { proof: { authorization: `Bearer ${token}` }, at: performance.now() };
    return known.proof;
  };
}

/** @param environment given to a program that makes credentials, as kubectl gives it */
export function credentialsOf(
  user: User,
  cluster: Cluster,
  environment: Readonly<Record<string, string | undefined>>,
): Credentials {
  if (user.exec) return fromProgram(user.exec, cluster, environment);
  if (user['auth-provider']) {
    throw new HangarError('cluster_not_connected', {
      message: `The kubeconfig uses the auth provider ${user['auth-provider'].name}, which Kubernetes has given up.`,
      wayOut: 'Make the kubeconfig anew with a current tool of your cloud; it then names a program in exec.',
    });
  }
  const certificate = async (): Promise<Proof> => {
    const cert = await given(user['client-certificate-data'], user['client-certificate']);
    const key = await given(user['client-key-data'], user['client-key']);
    return cert !== undefined && key !== undefined ? { cert, key } : {};
  };
  const withToken =
    user.token || !user.tokenFile
      ? async () => (user.token ? { authorization: `Bearer ${user.token}` } : {})
      : tokenFile(user.tokenFile);
  return async (o) => {
    const basic =
      user.username === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}` };
    return { ...basic, ...(await withToken(o)), ...(await certificate()) };
  };
}

const ExecCredential = z.object({
  status: z.object({
    token: z.string().optional(),
    clientCertificateData: z.string().optional(),
    clientKeyData: z.string().optional(),
    expirationTimestamp: z.string().nullish(),
  }),
});

/** The program that the kubeconfig names, asked once until what it gave expires. */
function fromProgram(
  exec: Exec,
  cluster: Cluster,
  environment: Readonly<Record<string, string | undefined>>,
): Credentials {
  let known: { proof: Proof; until: number } | null = null;
  let asking: Promise<Proof> | null = null;

  async function ask(): Promise<Proof> {
    const info = {
      apiVersion: exec.apiVersion,
      kind: 'ExecCredential',
      spec: {
        interactive: false,
        ...(exec.provideClusterInfo
          ? { cluster: { server: cluster.server, 'certificate-authority-data': cluster['certificate-authority-data'] } }
          : {}),
      },
    };
    const own = Object.fromEntries((exec.env ?? []).map(({ name, value }) => [name, value]));
    const output = await new Promise<string>((resolve, reject) => {
      const env = { ...environment, ...own, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
      execFile(exec.command, exec.args ?? [], { env, timeout: EXEC_MS, maxBuffer: 1024 * 1024 }, (error, out, err) => {
        if (!error) return resolve(out);
        const missing = 'code' in error && error.code === 'ENOENT';
        const words = err.trim().split('\n').at(-1)?.slice(0, 300);
        reject(
          new HangarError('cluster_not_connected', {
            message: missing
              ? `The program ${exec.command} of the kubeconfig is not installed here.`
              : `The program ${exec.command} of the kubeconfig failed${words ? `: ${words}` : ''}.`,
            ...(exec.installHint ? { wayOut: exec.installHint } : {}),
            cause: error,
          }),
        );
      }).stdin?.end();
    });
    const parsed = ExecCredential.safeParse(parseJson(output));
    if (!parsed.success) {
      throw new HangarError('cluster_not_connected', {
        message: `The program ${exec.command} of the kubeconfig gave no credentials.`,
      });
    }
    const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = parsed.data.status;
    const proof = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    };
    const until = expirationTimestamp ? Date.parse(expirationTimestamp) - EXPIRES_EARLY_MS : Number.POSITIVE_INFINITY;
    known = { proof, until };
    return proof;
  }

  return async ({ fresh }) => {
    if (known && !fresh && Date.now() < known.until) return known.proof;
    asking ??= ask().finally(() => {
      asking = null;
    });
    return asking;
  };
}

/** What stands in the kubeconfig in base64, or in a file it names. */
export async function given(data: string | undefined, file: string | undefined): Promise<string | undefined> {
  if (data) return Buffer.from(data, 'base64').toString('utf8');
  return file ? readText(file) : undefined;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new HangarError('cluster_not_connected', { message: `The file ${file} cannot be read.`, cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
