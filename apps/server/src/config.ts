import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { DriverName, HangarError } from '@hangar/contract';
import { z } from 'zod';
import { type BlobPlace, readBlobUrl } from './platform/blobs/place.ts';

const port = z.coerce.number().int().min(0).max(65_535);
const flag = z.stringbool();
/** As proxy-addr takes it: a number of proxies, their addresses and networks, or all of whoever asks. */
const proxies = z.string().transform((text, context): boolean | number | string[] => {
  if (/^\d{1,2}$/.test(text)) return Number(text) === 0 ? false : Number(text);
  const all = flag.safeParse(text);
  if (all.success) return all.data;
  const places = text.split(',').map((place) => place.trim());
  const isPlace = (place: string) => {
    const [address = '', bits, ...rest] = place.split('/');
    const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    return most > 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
  };
  if (places.every(isPlace)) return places;
  context.addIssue({ code: 'custom', message: 'true, false, a number of proxies, or their addresses and networks' });
  return z.NEVER;
});

/**
 * Every setting of the server. `.env.example` is generated from the descriptions here and checked against them.
 * Empty values count as not set.
 */
export const Settings = z.object({
  HANGAR_HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address to listen on. Anything but loopback needs HANGAR_PUBLIC_URL'),
  HANGAR_PORT: port.default(7070).describe('Port to listen on; 0 takes a free one'),
  HANGAR_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'Where people and workers reach this server, for example https://hangar.example.org. http://127.0.0.1:PORT when not set',
    ),
  HANGAR_DATA_DIR: z
    .string()
    .optional()
    .describe(
      'Folder for the built-in database, blobs and work trees. $XDG_DATA_HOME/hangar or ~/.local/share/hangar when not set',
    ),
  HANGAR_DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .optional()
    .describe('Any PostgreSQL from 15 on. The server runs a PostgreSQL of its own when not set'),
  HANGAR_BLOB_URL: z
    .string()
    .optional()
    .describe(
      'Where logs and artifacts are kept: file:/some/folder, or s3://bucket/prefix?endpoint=https://…&region=… with credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or another place of the standard chain. blobs in the data directory when not set',
    ),
  HANGAR_MASTER_KEY_FILE: z
    .string()
    .optional()
    .describe(
      'Key that seals the secrets in the database, made on first start. $XDG_CONFIG_HOME/hangar/keys/INSTANCE.key or ~/.config/hangar/keys/… when not set',
    ),
  HANGAR_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'])
    .default('info')
    .describe('error means that a person must act'),
  HANGAR_LOG_FORMAT: z
    .enum(['auto', 'json', 'text'])
    .default('auto')
    .describe('auto: text on a terminal, JSON elsewhere'),
  HANGAR_TRUST_PROXY: proxies
    .default(false)
    .describe(
      'Believe X-Forwarded-For and X-Forwarded-Proto, only behind a reverse proxy of yours: how many proxies there are, or their addresses and networks (10.0.0.0/8,…). true believes whatever anybody sends',
    ),
  HANGAR_ALLOW_LOCAL_REPOS: flag
    .default(false)
    .describe(
      'Let jobs clone from loopback and link-local addresses of the machine they run on. Private networks are always allowed',
    ),
  HANGAR_ALLOW_LOCAL_HOSTS: flag
    .default(false)
    .describe(
      'Let personal profiles reach loopback and link-local addresses of the server, and metadata services. Private networks are always allowed',
    ),
  HANGAR_DEMO: flag
    .default(false)
    .describe('Show a made-up Kubernetes cluster, marked as sample data, in place of a real one'),
  HANGAR_JOBS_AT_ONCE: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(200)
    .describe('Jobs of everybody together that run at the same time'),
  HANGAR_SANDBOXES_AT_ONCE: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(200)
    .describe('Sandboxes that are open at the same time on the whole server'),
  HANGAR_HEARTBEAT_SECONDS: z.coerce
    .number()
    .min(1)
    .max(300)
    .default(10)
    .describe('How often a worker says that it is alive'),
  HANGAR_WORKER_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'Where workers reach the servers when there are several of them, for example the address of their load balancer. When not set: HANGAR_PUBLIC_URL, and on this machine a socket in the data directory',
    ),
  HANGAR_DRIVERS: z
    .string()
    .default(DriverName.options.join(','))
    .transform((text) => text.split(',').map((name) => name.trim()))
    .pipe(z.array(DriverName).min(1))
    .describe(
      'Drivers that profiles may use, separated by commas. Leave out local, and docker without a host of its own, where servers run on several machines: each would see its own machine only',
    ),
  HANGAR_DRAIN_SECONDS: z.coerce
    .number()
    .min(0)
    .max(600)
    .default(0)
    .describe(
      'How long a server that was told to stop goes on answering while /readyz says no, so that a load balancer has time to notice',
    ),
  HANGAR_ACTIVITY_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(3650)
    .default(90)
    .describe('How long what was done is listed under Activity; of each person the newest 2000 at most'),
  HANGAR_CHECKPOINT_SECONDS: z.coerce
    .number()
    .min(5)
    .max(86_400)
    .default(120)
    .describe('How often a worker saves a partial diff'),
  HANGAR_WORKER_IMAGE: z
    .string()
    .default('node:24-bookworm')
    .describe(
      'Kubernetes: image of jobs that name none, and what brings Node to jobs in other images. With Node 20 and git',
    ),
  HANGAR_DOCKER_NETWORK: z
    .string()
    .optional()
    .describe('Docker: network of jobs for the profile that is made at the first start'),
  HANGAR_JOBS_NAMESPACE: z
    .string()
    .optional()
    .describe(
      'Kubernetes: namespace of jobs for the profile that is made at the first start. That of the server when not set',
    ),
  HANGAR_JOB_TEMPLATE: z
    .string()
    .optional()
    .describe('Kubernetes: file of the job template. deploy/k8s/job-template.yaml when not set'),
  KUBECONFIG: z
    .string()
    .optional()
    .describe(
      'Kubernetes: files that say which clusters there are, as for kubectl. ~/.kube/config when not set. Not needed inside a cluster',
    ),
});

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string | undefined;
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  readonly blobs: BlobPlace;
  readonly masterKeyFile: string;
  readonly logLevel: string;
  readonly logFormat: 'auto' | 'json' | 'text';
  readonly trustProxy: boolean | number | string[];
  /** Who comes from this machine may come from anywhere: a proxy is trusted, or people reach the server at another address. */
  readonly behindProxy: boolean;
  readonly allowLocalRepos: boolean;
  readonly allowLocalHosts: boolean;
  /** Somebody is signed in to a desktop here, which may have a keychain. */
  readonly desktop: boolean;
  readonly demo: boolean;
  readonly jobsAtOnce: number;
  readonly sandboxesAtOnce: number;
  readonly heartbeatSeconds: number;
  readonly checkpointSeconds: number;
  readonly activityDays: number;
  readonly workerUrl: string | undefined;
  /** A file of certificate authorities that workers on this machine trust, too. */
  readonly extraAuthorities: string | undefined;
  readonly drivers: readonly DriverName[];
  readonly drainSeconds: number;
  /** Where jobs without isolation find their programs: the PATH this server was started with. */
  readonly path: string | undefined;
  readonly dockerNetwork: string | undefined;
  /** Which proxy stands before object store, Docker hosts and clusters: HTTPS_PROXY and its like. */
  readonly proxies: Readonly<Record<string, string | undefined>>;
  readonly kubernetes: {
    /** The address of the API server for pods of its cluster; null outside of one. */
    readonly inCluster: { readonly host: string; readonly port: string } | null;
    readonly kubeconfig: readonly string[];
    readonly jobTemplate: string | undefined;
    readonly jobsNamespace: string | undefined;
    readonly workerImage: string;
    /** For programs that a kubeconfig names, as kubectl gives it to them. */
    readonly environment: Readonly<Record<string, string | undefined>>;
  };
}

const LOOPBACK = /^(127\.|localhost$|::1$|\[::1\]$)/;

/** Reads the environment. @throws HangarError config_invalid, naming the setting */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.keys(Settings.shape).flatMap((name) => {
      const value = environment[name]?.trim();
      return value ? [[name, value]] : [];
    }),
  );
  const parsed = Settings.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new HangarError('config_invalid', { message: `${issue?.path.join('.')} is not right: ${issue?.message}` });
  }
  const settings = parsed.data;
  if (!LOOPBACK.test(settings.HANGAR_HOST) && !settings.HANGAR_PUBLIC_URL) {
    throw new HangarError('config_invalid', {
      message: `HANGAR_HOST ${settings.HANGAR_HOST} is reached from other machines, so HANGAR_PUBLIC_URL must say how.`,
      wayOut: 'Set HANGAR_PUBLIC_URL, or leave HANGAR_HOST at 127.0.0.1.',
    });
  }
  const home = environment.HOME ?? homedir();
  const dataDir = resolve(
    settings.HANGAR_DATA_DIR ?? join(environment.XDG_DATA_HOME ?? join(home, '.local/share'), 'hangar'),
  );
  const keys = join(environment.XDG_CONFIG_HOME ?? join(home, '.config'), 'hangar/keys');
  return {
    host: settings.HANGAR_HOST,
    port: settings.HANGAR_PORT,
    publicUrl: settings.HANGAR_PUBLIC_URL?.replace(/\/+$/, ''),
    dataDir,
    databaseUrl: settings.HANGAR_DATABASE_URL,
    blobs: settings.HANGAR_BLOB_URL
      ? readBlobUrl(settings.HANGAR_BLOB_URL)
      : { kind: 'disk', dir: join(dataDir, 'blobs') },
    masterKeyFile: resolve(settings.HANGAR_MASTER_KEY_FILE ?? join(keys, `${keyName(dataDir)}.key`)),
    logLevel: settings.HANGAR_LOG_LEVEL,
    logFormat: settings.HANGAR_LOG_FORMAT,
    trustProxy: settings.HANGAR_TRUST_PROXY,
    behindProxy:
      settings.HANGAR_TRUST_PROXY !== false ||
      (settings.HANGAR_PUBLIC_URL !== undefined && !LOOPBACK.test(new URL(settings.HANGAR_PUBLIC_URL).hostname)),
    allowLocalRepos: settings.HANGAR_ALLOW_LOCAL_REPOS,
    allowLocalHosts: settings.HANGAR_ALLOW_LOCAL_HOSTS,
    desktop: isDesktop(environment),
    demo: settings.HANGAR_DEMO,
    jobsAtOnce: settings.HANGAR_JOBS_AT_ONCE,
    sandboxesAtOnce: settings.HANGAR_SANDBOXES_AT_ONCE,
    heartbeatSeconds: settings.HANGAR_HEARTBEAT_SECONDS,
    checkpointSeconds: settings.HANGAR_CHECKPOINT_SECONDS,
    activityDays: settings.HANGAR_ACTIVITY_DAYS,
    workerUrl: settings.HANGAR_WORKER_URL?.replace(/\/+$/, ''),
    extraAuthorities: environment.NODE_EXTRA_CA_CERTS,
    drivers: settings.HANGAR_DRIVERS,
    drainSeconds: settings.HANGAR_DRAIN_SECONDS,
    path: environment.PATH,
    dockerNetwork: settings.HANGAR_DOCKER_NETWORK,
    proxies: Object.fromEntries(Object.entries(environment).filter(([name]) => /^(https?|all|no)_proxy$/i.test(name))),
    kubernetes: {
      inCluster: environment.KUBERNETES_SERVICE_HOST
        ? { host: environment.KUBERNETES_SERVICE_HOST, port: environment.KUBERNETES_SERVICE_PORT ?? '443' }
        : null,
      kubeconfig: (settings.KUBECONFIG ?? join(home, '.kube/config')).split(delimiter).filter((file) => file !== ''),
      jobTemplate: settings.HANGAR_JOB_TEMPLATE && resolve(settings.HANGAR_JOB_TEMPLATE),
      workerImage: settings.HANGAR_WORKER_IMAGE,
      jobsNamespace: settings.HANGAR_JOBS_NAMESPACE,
      environment,
    },
  };
}

function isDesktop(environment: Readonly<Record<string, string | undefined>>): boolean {
  if (process.platform !== 'linux') return process.platform === 'darwin' || process.platform === 'win32';
  const screen = environment.WAYLAND_DISPLAY || environment.DISPLAY;
  return Boolean(screen && environment.DBUS_SESSION_BUS_ADDRESS);
}

/** One key a data directory, so that two servers of one person do not share secrets by accident. */
function keyName(dataDir: string): string {
  return (
    dataDir
      .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
      .replace(/^_+/, '')
      .slice(-120) || randomBytes(8).toString('hex')
  );
}
