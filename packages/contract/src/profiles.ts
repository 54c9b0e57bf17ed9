import { z } from 'zod';
import { Done, destroy, Empty, Name, type OperationMeta, read, Time, WIDER, write } from './shared.ts';

export const DriverName = z.enum(['local', 'docker', 'kubernetes', 'ssh', 'e2b', 'daytona']);
export type DriverName = z.infer<typeof DriverName>;

/** Limits a job gets on a profile when it asks for nothing else. */
export const ProfileLimits = z.object({
  cpus: z.number().min(0.1).max(1024).optional().describe('CPU cores'),
  memoryBytes: z
    .number()
    .int()
    .min(32 * 1024 * 1024)
    .optional(),
  pids: z.number().int().min(16).max(1_000_000).optional().describe('Processes and threads'),
  jobsAtOnce: z.number().int().min(1).max(10_000).optional().describe('Jobs that run on this profile at the same time'),
});

export const LocalSettings = z.object({
  isolation: z
    .enum(['auto', 'bubblewrap', 'none'])
    .default('auto')
    .describe(
      'bubblewrap shows the job only its work tree, a private home and the system read-only; auto takes it where it is installed',
    ),
  readable: z
    .array(z.string().regex(/^\/[^\0]+$/, 'An absolute path'))
    .max(20)
    .default([])
    .describe(
      'Folders outside the system that jobs may read, such as the ~/.local that an agent is installed in; the bin of each is put on PATH',
    ),
});
export type LocalSettings = z.infer<typeof LocalSettings>;

export const DockerSettings = z.object({
  host: z
    .string()
    .regex(/^(unix:\/\/\/|tcp:\/\/|https?:\/\/)/, 'Begins with unix:///, tcp:// or http(s)://')
    .refine(
      (host) => (host.startsWith('unix:') ? !host.includes('\0') : URL.canParse(host.replace(/^tcp:/, 'http:'))),
      'Not an address',
    )
    .default('unix:///var/run/docker.sock')
    .describe('Where the Engine API is reached'),
  image: z.string().min(1).max(300).default('node:24-bookworm').describe('Image of jobs that name none'),
  pull: z.enum(['missing', 'always', 'never']).default('missing'),
  network: z.string().max(100).default('bridge').describe('Docker network the container joins'),
  serverUrl: z
    .url()
    .optional()
    .describe(
      'How containers reach this server. Without it the worker talks through a socket mounted into the container, which needs an Engine on this machine',
    ),
});
export type DockerSettings = z.infer<typeof DockerSettings>;

export const KubernetesSettings = z.object({
  context: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe('Context of the kubeconfig. The cluster Hangar runs in when not set, or else the current context'),
  namespace: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'A name of small letters, digits and dashes')
    .optional()
    .describe('Namespace of the jobs. That of the context, or of Hangar itself, when not set'),
  image: z
    .string()
    .min(1)
    .max(300)
    .optional()
    .describe('Image of jobs that name none: with git, and glibc or Node 20. HANGAR_WORKER_IMAGE when not set'),
  workerImage: z
    .string()
    .min(1)
    .max(300)
    .optional()
    .describe('Image that brings Node to jobs in other images. HANGAR_WORKER_IMAGE when not set'),
  pull: z.enum(['missing', 'always', 'never']).default('missing'),
  serverUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('How pods reach this server. HANGAR_PUBLIC_URL when not set'),
  startSeconds: z.coerce
    .number<number>()
    .int()
    .min(5)
    .max(86_400)
    .default(900)
    .describe('How long a job may wait for a node, a quota or its image before it fails'),
  template: z
    .string()
    .max(65_536)
    .optional()
    .describe('A job template in YAML, in place of that of the server: see deploy/k8s/job-template.yaml'),
});
export type KubernetesSettings = z.infer<typeof KubernetesSettings>;

/** A host name or an address, IPv6 without brackets. Never an option of ssh: it does not begin with a dash. */
const Host = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9_:]([A-Za-z0-9._:-]*[A-Za-z0-9])?$/, 'A host name or an address');
const Port = z.coerce.number<number>().int().min(1).max(65_535);
const Account = z
  .string()
  .max(64)
  .regex(/^[A-Za-z_][A-Za-z0-9._-]*$/, 'The name of an account');
const serverUrl = z
  .url({ protocol: /^https?$/ })
  .optional()
  .describe('How a worker there reaches this server. HANGAR_PUBLIC_URL when not set');
/** Goes to the secret store, never into the database, and never comes back. */
const secret = (what: string, most = 16_384) =>
  z.string().min(1).max(most).optional().meta({ writeOnly: true }).describe(what);

export const SshSettings = z.object({
  host: Host.describe('Name or address of the machine'),
  port: Port.default(22),
  user: Account.default('root').describe('Account to sign in as'),
  key: secret('Private key in PEM or OpenSSH format, without a passphrase'),
  jump: z
    .array(z.object({ host: Host, port: Port.default(22), user: Account.optional() }))
    .max(5)
    .default([])
    .describe('Machines on the way, in order; the key opens them, too'),
  hostKeys: z
    .string()
    .max(65_536)
    .optional()
    .describe('Lines of known_hosts. The key that is seen first is kept and checked when not set'),
  folder: z
    .string()
    .regex(/^(~\/|\/)[^\0]*$/, 'An absolute path, or one that begins with ~/')
    .max(300)
    .default('~/.hangar')
    .describe('Where units have their folders'),
  fromConfig: z
    .boolean()
    .default(false)
    .describe('Reads ~/.ssh/config and the keys of the account this server runs as: what an admin set up there'),
  serverUrl,
});
export type SshSettings = z.infer<typeof SshSettings>;

export const E2bSettings = z.object({
  apiKey: secret('Key of the API', 500),
  domain: z
    .string()
    .regex(/^[a-z0-9.-]+$/, 'A domain')
    .default('e2b.app')
    .describe('Of a self-hosted E2B another one'),
  apiUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Address of the API. https://api.DOMAIN when not set'),
  sandboxUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Address of all sandboxes, told apart by headers. https://49983-ID.DOMAIN when not set'),
  template: z.string().min(1).max(200).default('base').describe('Template of sandboxes that name none'),
  internet: z.boolean().default(true).describe('Whether a sandbox reaches the internet'),
  serverUrl,
});
export type E2bSettings = z.infer<typeof E2bSettings>;

export const DaytonaSettings = z.object({
  apiKey: secret('Key of the API', 500),
  apiUrl: z.url({ protocol: /^https?$/ }).default('https://app.daytona.io/api'),
  target: z.string().min(1).max(100).optional().describe('Region'),
  snapshot: z.string().min(1).max(300).optional().describe('Snapshot of sandboxes that name no image'),
  internet: z.boolean().default(true).describe('Whether a sandbox reaches the internet'),
  serverUrl,
});
export type DaytonaSettings = z.infer<typeof DaytonaSettings>;

/** Settings of each driver, by its name. */
export const DriverSettings = {
  ...{ local: LocalSettings, docker: DockerSettings, kubernetes: KubernetesSettings },
  ...{ ssh: SshSettings, e2b: E2bSettings, daytona: DaytonaSettings },
} as const;

const ProfileSettings = z.discriminatedUnion('driver', [
  z.object({ driver: z.literal('local'), settings: LocalSettings.prefault({}) }),
  z.object({ driver: z.literal('docker'), settings: DockerSettings.prefault({}) }),
  z.object({ driver: z.literal('kubernetes'), settings: KubernetesSettings.prefault({}) }),
  z.object({ driver: z.literal('ssh'), settings: SshSettings }),
  z.object({ driver: z.literal('e2b'), settings: E2bSettings.prefault({}) }),
  z.object({ driver: z.literal('daytona'), settings: DaytonaSettings.prefault({}) }),
]);

/** Settings of a driver that are secret: their schema says `writeOnly`. */
export const secretsOf = (driver: DriverName): readonly string[] =>
  Object.entries<z.ZodType>(DriverSettings[driver].shape).flatMap(([name, schema]) =>
    schema.meta()?.writeOnly === true ? [name] : [],
  );

/** Drivers that people may make personal profiles of. The others reach what is the server's own: its machine, its Docker, its clusters. */
export const PERSONAL_DRIVERS: readonly DriverName[] = ['ssh', 'e2b', 'daytona'];

export const Profile = z
  .object({
    name: Name,
    driver: DriverName,
    personal: z.boolean().describe('Of the person who asks, and seen and used by nobody else'),
    settings: z
      .record(z.string(), z.unknown())
      .describe('Settings of the driver, see GET /driver-types; without those that are secret'),
    secrets: z.record(z.string(), z.boolean()).describe('Secret settings of the driver, and whether each is set'),
    limits: ProfileLimits,
    isDefault: z.boolean().describe('What you get where none is named: your own default, or else that of the server'),
    createdAt: Time,
    jobsRunning: z.number().int(),
  })
  .describe('A named way to reach compute');
export type Profile = z.infer<typeof Profile>;

export const NewProfile = z
  .object({
    name: Name,
    limits: ProfileLimits.default({}),
    isDefault: z.boolean().default(false),
    personal: z
      .boolean()
      .optional()
      .describe('Seen and used by you alone. When left out: of the server if an admin makes it, else personal'),
  })
  .and(ProfileSettings);
export type NewProfile = z.infer<typeof NewProfile>;

export const ProfileCheck = z.object({
  name: z.string().describe('What was tried, in a few words'),
  ok: z.boolean(),
  detail: z.string(),
  wayOut: z.string().nullable(),
});
export type ProfileCheck = z.infer<typeof ProfileCheck>;

/** What the machines of a driver can do by themselves; what they cannot is done above them, or said. */
export const MachineCapabilities = z.object({
  stdio: z.enum(['binary', 'text']).describe('Whether the streams of a process keep every byte'),
  stdin: z.enum(['stream', 'none']).describe('Whether a process can be written to, with an end of file'),
  stderr: z.boolean().describe('Comes apart from stdout'),
  terminal: z.boolean().describe('Opens terminals'),
  user: z.boolean().describe('Runs as another account'),
  load: z.enum(['native', 'probe']).describe('Tells CPU, memory and disk itself, or is looked at from inside'),
  openAtOnce: z.number().int().nullable().describe('Processes at the same time; null: no limit of its own'),
  argumentBytes: z.number().int().describe('Longest single argument'),
});
export type MachineCapabilities = z.infer<typeof MachineCapabilities>;

/** What a driver can do for units, whatever runs in them. */
export const UnitCapabilities = z.object({
  image: z.boolean().describe('Starts from an image that is named'),
  cpus: z.boolean().describe('Limits CPU'),
  memory: z.boolean().describe('Limits memory'),
  pids: z.boolean().describe('Limits how many processes there are'),
  isolation: z.string().describe('What stands between a unit and the machine it runs on'),
  pause: z.boolean().describe('Whether a machine can be held without running, and go on later'),
});
export type UnitCapabilities = z.infer<typeof UnitCapabilities>;

export const Driver = z.object({
  name: DriverName,
  title: z.string(),
  available: z.boolean(),
  detail: z.string().describe('What is there, or what is missing and how to get it'),
  settingsSchema: z.record(z.string(), z.unknown()).describe('JSON Schema of the settings'),
  capabilities: UnitCapabilities,
});
export type Driver = z.infer<typeof Driver>;

const BY_WORDS = { none: 'profiles create and update take settings and limits one by one.' } as const;

const byName = z.object({ name: Name });
const Change = byName.extend({
  settings: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Those that are to change, secret ones as well; null takes one away'),
  limits: ProfileLimits.optional(),
  forgetHostKey: z
    .boolean()
    .optional()
    .describe('Of ssh: the host key that is seen next is kept, whatever was known before'),
});
/** What is the server's, admins change; what is personal, the person it belongs to. Agents have no business there. */
const OWN_OR_SERVERS = { ...WIDER, mcp: false } as const;

interface Way {
  readonly path: string;
  readonly update: 'PATCH' | 'PUT';
  readonly makeDefault: string;
  readonly command: (words: string) => OperationMeta['command'];
}

/** Profiles under one path; both that there are do the same. */
const under = ({ path, update, makeDefault, command }: Way) => ({
  list: read(command('profiles list'))
    .route({ method: 'GET', path: `/${path}`, summary: "Profiles: those of the server, and one's own" })
    .input(Empty)
    .output(z.object({ items: z.array(Profile) })),
  get: read(command('profiles show {name}'))
    .route({ method: 'GET', path: `/${path}/{name}`, summary: 'A profile' })
    .input(byName)
    .output(Profile),
  create: write(BY_WORDS, { idempotent: false, ...OWN_OR_SERVERS })
    .route({ method: 'POST', path: `/${path}`, summary: 'Make a profile', successStatus: 201 })
    .input(NewProfile)
    .output(Profile),
  update: write(BY_WORDS, { idempotent: true, ...OWN_OR_SERVERS })
    .route({ method: update, path: `/${path}/{name}`, summary: 'Change a profile' })
    .input(Change)
    .output(Profile),
  remove: destroy(command('profiles remove {name} --yes'), OWN_OR_SERVERS)
    .route({ method: 'DELETE', path: `/${path}/{name}`, summary: 'Remove a profile' })
    .input(byName)
    .output(Done),
  makeDefault: write(command('profiles default {name}'), { idempotent: true, ...OWN_OR_SERVERS })
    .route({
      method: 'POST',
      path: `/${path}/{name}/${makeDefault}`,
      summary: "Make a profile the default: one's own for oneself, the server's for everybody",
    })
    .input(byName)
    .output(Profile),
});

export const profiles = {
  ...under({ path: 'profiles', update: 'PATCH', makeDefault: 'default', command: (words) => words }),
  // Starts a unit where jobs would run.
  test: write('profiles test {name}', { idempotent: false, spends: true })
    .route({ method: 'POST', path: '/profiles/{name}/test', summary: 'Prove that a profile works' })
    .input(byName)
    .output(z.object({ ok: z.boolean(), checks: z.array(ProfileCheck) })),
  drivers: read('profiles drivers')
    .route({ method: 'GET', path: '/driver-types', summary: 'Drivers and what they can do here' })
    .input(Empty)
    .output(z.object({ items: z.array(Driver) })),
};

/** Profiles again, as tools that speak of drivers call them. */
export const drivers = under({
  ...{ path: 'drivers', update: 'PUT', makeDefault: 'activate' },
  command: () => ({ none: 'The commands of profiles do the same.' }),
});
