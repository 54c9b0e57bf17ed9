import {
  Env,
  GitRef,
  HangarError,
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
import { z } from 'zod';
import { type MapEntry, nest } from '../../../components/form/schema-values.ts';

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
  /** What it works on. Only what belongs to this place is checked and sent. */
  readonly place: 'profile' | 'sandbox';
  /** Empty: the default profile. */
  readonly profile: string;
  /** An open one, by its id. */
  readonly sandbox: string;
  readonly credential: string;
  readonly image: string;
  readonly timeout: string;
  readonly cpus: string;
  readonly memory: string;
  /** The most processes at once. */
  readonly pids: string;
  /** Values are secrets: they are never kept. */
  readonly env: readonly MapEntry[];
}

export const CUSTOM = 'custom';
/** The most jobs sent at once. */
const MAX_TIMES = 20;

export const EMPTY_FORM: JobForm = {
  repo: '',
  ref: '',
  spec: '',
  title: '',
  agent: '',
  command: '',
  times: '',
  place: 'profile',
  profile: '',
  sandbox: '',
  credential: '',
  image: '',
  timeout: '',
  cpus: '',
  memory: '',
  pids: '',
  env: [],
};

/** Fields of one place alone: a sandbox has its machine already. */
const OF_PLACE = {
  profile: ['profile', 'image', 'cpus', 'memory', 'pids'],
  sandbox: ['sandbox'],
} as const satisfies Record<JobForm['place'], readonly (keyof JobForm)[]>;

/** Whether a field counts; what is typed for the other place stays in the form until one goes back to it. */
export const counts = (field: string, place: JobForm['place'] | undefined): boolean =>
  !OF_PLACE[place === 'sandbox' ? 'profile' : 'sandbox'].some((other) => other === field);

function inItsPlace<F extends Partial<JobForm>>(form: F): Partial<F> {
  return Object.fromEntries(Object.entries(form).filter(([field]) => counts(field, form.place))) as Partial<F>;
}

const Typed = z
  .object({
    repo: z.string({ error: 'The address of the repository' }).trim().pipe(RepoUrl),
    ref: orNothing(GitRef),
    spec: z
      .string()
      .prefault('')
      .superRefine((text, context) => {
        const { error } = readSpec(text);
        if (error !== null) context.addIssue(error.message);
      }),
    title: orNothing(z.string().max(200, 'At most 200 characters')),
    agent: z.string().optional(),
    command: orNothing(z.string().max(4000)),
    times: z
      .string()
      .optional()
      .refine((times) => timesOf({ times: times ?? '' }) !== null, `A whole number from 1 to ${MAX_TIMES}`),
    place: z.enum(['profile', 'sandbox']).optional(),
    profile: z.string().optional(),
    sandbox: z.string().optional(),
    credential: z.string().optional(),
    image: orNothing(NewJob.shape.image.unwrap()),
    timeout: orNothing(read('A time like 90s, 15m or 2h', parseDuration).pipe(TimeoutSeconds)),
    cpus: orNothing(
      read('A number of cores, from 0.1', (text) => {
        const cpus = Number(text.replace(',', '.'));
        return cpus >= 0.1 && cpus <= 1024 ? cpus : null;
      }),
    ),
    memory: orNothing(
      read('A size like 512m or 2g', parseBytes).refine((bytes) => bytes >= 32 * 1024 * 1024, 'At least 32m'),
    ),
    pids: orNothing(
      read('A whole number, from 16', (text) => Resources.shape.pids.safeParse(Number(text)).data ?? null),
    ),
    env: z.array(z.object({ name: z.string(), value: z.string() })).superRefine((entries, context) => {
      const message = envError(entries);
      if (message !== null) context.addIssue(message);
    }),
  })
  // These look at two fields, and do so whatever is wrong in the others.
  .refine(({ place, sandbox = '' }) => place !== 'sandbox' || sandbox !== '', {
    path: ['sandbox'],
    message: 'The sandbox in which it works',
    when: () => true,
  })
  .refine(({ agent, command }) => agent !== CUSTOM || (command ?? '') !== '', {
    path: ['command'],
    message: 'The command that does the work',
    when: () => true,
  })
  .refine(({ spec, agent = '', command = '' }) => !hasNothingToRun({ spec, agent, command }), {
    path: ['spec'],
    message: 'Agent shell has nothing to run: add a fenced sh block, or choose another agent',
    when: () => true,
  })
  .transform(({ repo, ref, times, agent, command, timeout, cpus, memory, pids, env, ...rest }, context) => {
    const made = NewJob.safeParse({
      ...said({ ...rest, agent: agent === CUSTOM ? command : agent, timeoutSeconds: timeout }),
      repo: said({ url: repo, ref }),
      resources: said({ cpus, memoryBytes: memory, pids }),
      env: Object.fromEntries(named(env).map(({ name, value }) => [name.trim(), value])),
    });
    if (made.success) return { times: timesOf({ times: times ?? '' }) ?? 1, request: made.data };
    for (const { path, message } of made.error.issues) context.addIssue({ code: 'custom', path, message });
    return z.NEVER;
  });

/** What is typed → what is sent, with words for what is wrong. */
export const JobInput = z.preprocess((form) => inItsPlace(form as Partial<JobForm>), Typed);

const said = (all: object) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
const named = (entries: readonly Omit<MapEntry, 'key'>[]) => entries.filter(({ name }) => name.trim() !== '');

/** May be left out; blanks are nothing. */
function orNothing<S extends z.ZodType<unknown, string>>(schema: S) {
  return z
    .string()
    .transform((text) => text.trim() || undefined)
    .pipe(schema.optional())
    .optional();
}

function read<T>(wrong: string, parse: (text: string) => T | null) {
  return z.string().transform((text, context): T => {
    const value = parse(text);
    if (value !== null) return value;
    context.addIssue(wrong);
    return z.NEVER;
  });
}

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

function hasNothingToRun(form: Pick<JobForm, 'spec' | 'agent' | 'command'>): boolean {
  const { spec, blocks } = readSpec(form.spec);
  return spec !== null && blocks === 0 && agentOf(form, spec) === 'shell';
}

function envError(entries: readonly Omit<MapEntry, 'key'>[]): string | null {
  const filled = entries.filter((entry) => entry.name.trim() !== '' || entry.value !== '');
  const names = filled.map((entry) => entry.name.trim());
  if (names.includes('')) return 'Each value needs a name';
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `${twice} stands there twice`;
  const empty = filled.find((entry) => entry.value === '');
  if (empty !== undefined) return `${empty.name} has no value`;
  const issue = Env.safeParse(Object.fromEntries(filled.map((entry) => [entry.name.trim(), entry.value]))).error
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

/** The same on the command line. Values of variables come from the environment, never from the form. */
export function commandOf(form: JobForm): string {
  const typed = (text = '') => text.trim() || undefined;
  const { profile, sandbox, image, cpus, memory } = inItsPlace(form);
  const words = commandWords(COMMANDS[OPERATIONS.jobs.create], {
    repo: { url: typed(form.repo), ref: typed(form.ref) },
    title: typed(form.title),
    agent: typed(form.agent === CUSTOM ? form.command : form.agent),
    profile: typed(profile),
    sandbox: typed(sandbox),
    credential: typed(form.credential),
    image: typed(image),
    timeoutSeconds: typed(form.timeout),
    resources: { cpus: typed(cpus), memoryBytes: typed(memory) },
    env: form.env.flatMap(({ name }) => typed(name) ?? []),
  });
  const times = (timesOf(form) ?? 1) > 1 ? ['--times', form.times.trim()] : [];
  return shellCommand(['hangar', ...words, ...times]);
}

/** The body of the request, for curl: values of variables are left to the reader. */
export function bodyOf(form: JobForm): unknown {
  const { data } = JobInput.safeParse(nest({ ...form, env: [] }));
  const names = form.env.map((entry) => entry.name.trim()).filter(Boolean);
  return {
    ...(data?.request ?? {}),
    idempotencyKey: 'any-text-once',
    spec: '…',
    ...(names.length === 0 ? {} : { env: Object.fromEntries(names.map((name) => [name, '…'])) }),
  };
}

/** The field of what the request has wrong. */
export const fieldOfJob = ({ path, code }: { path: string; code: string }): string | undefined =>
  ERROR_FIELDS[code] ?? SERVER_FIELDS[path];

const SERVER_FIELDS: Partial<Record<string, keyof JobForm>> = {
  'repo.url': 'repo',
  'repo.ref': 'ref',
  agent: 'command',
  timeoutSeconds: 'timeout',
  'resources.cpus': 'cpus',
  'resources.memoryBytes': 'memory',
  'resources.pids': 'pids',
};

const ERROR_FIELDS: Partial<Record<string, keyof JobForm>> = {
  repo_required: 'repo',
  repo_url_invalid: 'repo',
  repo_ref_invalid: 'ref',
  spec_empty: 'spec',
  spec_too_large: 'spec',
  spec_front_matter: 'spec',
  spec_no_commands: 'spec',
  agent_unknown: 'command',
  profile_not_found: 'profile',
  sandbox_not_found: 'sandbox',
  sandbox_closed: 'sandbox',
  credential_not_found: 'credential',
  env_invalid: 'env',
  timeout_too_long: 'timeout',
};

export const specBytes = (text: string): number => new TextEncoder().encode(text).length;
export const SPEC_LIMIT = MAX_SPEC_BYTES;
