import {
  Env,
  GitRef,
  HangarError,
  type JobDetail,
  MAX_SPEC_BYTES,
  NewJob,
  parseBytes,
  parseDuration,
  parseSpec,
  RepoUrl,
  Resources,
  type Spec,
  shellBlocks,
  TimeoutSeconds,
} from '@hangar/contract';
import { COMMANDS, OPERATIONS } from '@hangar/contract/operations';
import { commandWords, shellCommand } from '@hangar/contract/shell-words';

/** What is typed into the form, as it is typed. */
export interface JobForm {
  readonly repo: string;
  readonly ref: string;
  readonly spec: string;
  /** Empty: the heading of the spec. */
  readonly title: string;
  /** A preset by name, `custom` for the command below, or empty: front matter decides, else shell. */
  readonly agent: string;
  readonly command: string;
  /** How many jobs; empty is one. Several make a group. */
  readonly times: string;
  /** Empty: the default profile. */
  readonly profile: string;
  readonly credential: string;
  readonly image: string;
  readonly timeout: string;
  readonly cpus: string;
  readonly memory: string;
  /** The most processes at once. */
  readonly pids: string;
  /** Values are secrets: they are never kept, see `keptForm`. */
  readonly env: readonly EnvEntry[];
}

export interface EnvEntry {
  readonly key: string;
  readonly name: string;
  readonly value: string;
}

export type JobField = Exclude<keyof JobForm, 'agent'>;
export type JobErrors = Partial<Record<JobField, string>>;

export const CUSTOM = 'custom';

export const EMPTY_FORM: JobForm = {
  repo: '',
  ref: '',
  spec: '',
  title: '',
  agent: '',
  command: '',
  times: '',
  profile: '',
  credential: '',
  image: '',
  timeout: '',
  cpus: '',
  memory: '',
  pids: '',
  env: [],
};

/** What is wrong with each field, in words; nothing for what is right. */
export function errorsOf(form: JobForm): JobErrors {
  const errors: { -readonly [K in JobField]?: string } = {};
  const put = (field: JobField, message: string | null) => {
    if (message !== null) errors[field] = message;
  };
  put(
    'repo',
    form.repo.trim() === '' ? 'The address of the repository' : messageOf(RepoUrl.safeParse(form.repo.trim())),
  );
  put('ref', form.ref.trim() === '' ? null : messageOf(GitRef.safeParse(form.ref.trim())));
  put('spec', specError(form));
  put('command', form.agent === CUSTOM && form.command.trim() === '' ? 'The command that does the work' : null);
  put('times', timesOf(form) === null ? `A whole number from 1 to ${MAX_TIMES}` : null);
  put('image', form.image.trim() === '' ? null : messageOf(NewJob.shape.image.safeParse(form.image.trim())));
  if (form.timeout.trim() !== '') {
    const seconds = parseDuration(form.timeout);
    put('timeout', seconds === null ? 'A time like 90s, 15m or 2h' : messageOf(TimeoutSeconds.safeParse(seconds)));
  }
  if (form.cpus.trim() !== '') {
    const cpus = Number(form.cpus.replace(',', '.'));
    put('cpus', Number.isFinite(cpus) && cpus >= 0.1 && cpus <= 1024 ? null : 'A number of cores, from 0.1');
  }
  if (form.memory.trim() !== '') {
    const bytes = parseBytes(form.memory);
    put('memory', bytes === null ? 'A size like 512m or 2g' : bytes < 32 * 1024 * 1024 ? 'At least 32m' : null);
  }
  put('title', form.title.trim().length > 200 ? 'At most 200 characters' : null);
  if (form.pids.trim() !== '') {
    const pids = Resources.shape.pids.safeParse(Number(form.pids));
    put('pids', pids.success ? null : 'A whole number, from 16');
  }
  put('env', envError(form.env));
  return errors;
}

/** The most jobs sent at once. */
const MAX_TIMES = 20;

/** How many jobs are wanted; null when that is no number. */
export function timesOf({ times }: Pick<JobForm, 'times'>): number | null {
  const typed = times.trim();
  if (typed === '') return 1;
  const count = /^\d{1,3}$/.test(typed) ? Number(typed) : 0;
  return count >= 1 && count <= MAX_TIMES ? count : null;
}

/** `add-search-7k2m`: the title and four letters of the key, so that the same key is the same group. */
export function groupOf(form: JobForm, key: string): string {
  const words = (readSpec(form.spec).spec?.title ?? '')
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '');
  return `${words === '' ? 'jobs' : words}-${key.replaceAll(/[^a-z0-9]/g, '').slice(-4)}`;
}

function specError(form: JobForm): string | null {
  const { spec, blocks, error } = readSpec(form.spec);
  if (error !== null) return error.message;
  return blocks === 0 && agentOf(form, spec) === 'shell'
    ? 'Agent shell has nothing to run: add a fenced sh block, or choose another agent'
    : null;
}

function envError(entries: readonly EnvEntry[]): string | null {
  const named = entries.filter((entry) => entry.name.trim() !== '' || entry.value !== '');
  const names = named.map((entry) => entry.name.trim());
  if (names.includes('')) return 'Each value needs a name';
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `${twice} stands there twice`;
  const empty = named.find((entry) => entry.value === '');
  if (empty !== undefined) return `${empty.name} has no value`;
  const issue = Env.safeParse(Object.fromEntries(named.map((entry) => [entry.name.trim(), entry.value]))).error
    ?.issues[0];
  return issue === undefined
    ? null
    : `${issue.path.join('.')}: letters, digits and _; not HANGAR_*, GIT_*, LD_* or NODE_OPTIONS`;
}

/** The spec taken apart, or why it cannot be. */
export function readSpec(text: string): { spec: Spec | null; blocks: number; error: HangarError | null } {
  try {
    const spec = parseSpec(text);
    return { spec, blocks: shellBlocks(spec.body).length, error: null };
  } catch (error) {
    if (error instanceof HangarError) return { spec: null, blocks: 0, error };
    throw error;
  }
}

/** The agent that will run: chosen, else named in the front matter, else shell. */
export function agentOf(form: Pick<JobForm, 'agent' | 'command'>, spec: Spec | null): string {
  if (form.agent === CUSTOM) return form.command.trim();
  return form.agent || spec?.settings.agent || 'shell';
}

/** The request; null while a field is wrong. */
export function requestOf(form: JobForm, idempotencyKey: string): NewJob | null {
  if (Object.keys(errorsOf(form)).length > 0) return null;
  const agent = form.agent === CUSTOM ? form.command.trim() : form.agent;
  const seconds = parseDuration(form.timeout);
  const bytes = parseBytes(form.memory);
  const cpus = form.cpus.trim() === '' ? null : Number(form.cpus.replace(',', '.'));
  const parsed = NewJob.safeParse({
    spec: form.spec,
    repo: { url: form.repo.trim(), ...(form.ref.trim() === '' ? {} : { ref: form.ref.trim() }) },
    ...(form.title.trim() === '' ? {} : { title: form.title.trim() }),
    ...(agent === '' ? {} : { agent }),
    ...(form.profile === '' ? {} : { profile: form.profile }),
    ...(form.credential === '' ? {} : { credential: form.credential }),
    ...(form.image.trim() === '' ? {} : { image: form.image.trim() }),
    ...(seconds === null || form.timeout.trim() === '' ? {} : { timeoutSeconds: seconds }),
    resources: {
      ...(cpus === null ? {} : { cpus }),
      ...(bytes === null ? {} : { memoryBytes: bytes }),
      ...(form.pids.trim() === '' ? {} : { pids: Number(form.pids) }),
    },
    env: Object.fromEntries(
      form.env.filter((entry) => entry.name.trim() !== '').map((entry) => [entry.name.trim(), entry.value]),
    ),
    idempotencyKey,
  });
  return parsed.success ? parsed.data : null;
}

/** The same on the command line. Values of variables come from the environment, never from the form. */
export function commandOf(form: JobForm): string {
  const { repo, ref, title, profile, credential, image, timeout, cpus, memory } = form;
  const typed = {
    ...{ repo, ref, title, profile, credential, image, timeout, cpus, memory },
    agent: form.agent === CUSTOM ? form.command : form.agent,
    times: (timesOf(form) ?? 1) > 1 ? form.times : '',
  };
  const given = Object.entries(typed).map(([name, value]) => [name, value.trim() || undefined]);
  const env = form.env.map(({ name }) => name.trim()).filter(Boolean);
  return shellCommand([
    'hangar',
    ...commandWords(COMMANDS[OPERATIONS.jobs.create], { ...Object.fromEntries(given), env }),
  ]);
}

/** The body of the request, for curl: values of variables are left to the reader. */
export function bodyOf(form: JobForm): unknown {
  const request = requestOf({ ...form, env: [] }, 'any-text-once');
  const names = form.env.map((entry) => entry.name.trim()).filter(Boolean);
  return {
    ...(request ?? {}),
    spec: '…',
    ...(names.length === 0 ? {} : { env: Object.fromEntries(names.map((name) => [name, '…'])) }),
  };
}

/** A job as a form, to send it changed. Values of its variables are not known here. */
export function formOf(job: JobDetail, presets: readonly string[]): JobForm {
  const { cpus, memoryBytes, pids } = job.resources;
  return {
    ...EMPTY_FORM,
    repo: job.repo.url ?? '',
    ref: job.repo.ref ?? '',
    spec: job.spec,
    // The heading goes on being the title where that is what it was.
    title: job.title === readSpec(job.spec).spec?.title ? '' : job.title,
    ...agentFields(job.agent, presets),
    profile: job.profile,
    credential: job.credential ?? '',
    image: job.image ?? '',
    timeout: typed(job.timeoutSeconds, DURATIONS),
    cpus: cpus === undefined ? '' : String(cpus),
    memory: memoryBytes === undefined ? '' : typed(memoryBytes, SIZES),
    pids: pids === undefined ? '' : String(pids),
    env: job.envNames.map((name, index) => ({ key: `job-${index}`, name, value: '' })),
  };
}

/** An agent by its name, or any other command. */
export const agentFields = (agent: string, presets: readonly string[]): Pick<JobForm, 'agent' | 'command'> =>
  presets.includes(agent) ? { agent, command: '' } : { agent: CUSTOM, command: agent };

const DURATIONS: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
];
const SIZES: readonly (readonly [string, number])[] = [
  ['g', 1024 ** 3],
  ['m', 1024 ** 2],
  ['k', 1024],
  ['', 1],
];

/** In the largest unit in which it is a whole number: `90m`, `2g`. */
function typed(amount: number, units: readonly (readonly [string, number])[]): string {
  const [unit, size] = units.find(([, one]) => amount % one === 0) ?? ['', 1];
  return `${amount / size}${unit}`;
}

const KEY = 'hangar.new-job';

/** What may be kept over a reload: everything but values of variables. */
export function keptForm(form: JobForm): JobForm {
  return { ...form, env: form.env.map((entry) => ({ ...entry, value: '' })) };
}

export function keep(storage: Storage, form: JobForm): void {
  try {
    storage.setItem(KEY, JSON.stringify(keptForm(form)));
  } catch {
    // Full or switched off: the form itself still holds it.
  }
}

export function forget(storage: Storage): void {
  try {
    storage.removeItem(KEY);
  } catch {
    // Nothing was kept then.
  }
}

/** What was kept; fields that are missing or of another kind come out empty. */
export function kept(storage: Storage): JobForm | null {
  try {
    const value: unknown = JSON.parse(storage.getItem(KEY) ?? 'null');
    if (typeof value !== 'object' || value === null) return null;
    const fields = Object.entries(EMPTY_FORM).map(([name, empty]) => {
      const found: unknown = Object.hasOwn(value, name)
        ? Object.getOwnPropertyDescriptor(value, name)?.value
        : undefined;
      return [name, typeof empty === 'string' && typeof found === 'string' ? found : empty];
    });
    const env = 'env' in value && Array.isArray(value.env) ? value.env.flatMap(entryOf) : [];
    return { ...EMPTY_FORM, ...Object.fromEntries(fields), env };
  } catch {
    return null;
  }
}

function entryOf(value: unknown, index: number): EnvEntry[] {
  if (typeof value !== 'object' || value === null || !('name' in value) || typeof value.name !== 'string') return [];
  return [{ key: `kept-${index}`, name: value.name, value: '' }];
}

export const specBytes = (text: string): number => new TextEncoder().encode(text).length;
export const SPEC_LIMIT = MAX_SPEC_BYTES;

const messageOf = (result: {
  success: boolean;
  error?: { issues: readonly { message: string }[] } | undefined;
}): string | null => (result.success ? null : (result.error?.issues[0]?.message ?? 'Not right'));
