import { type AgentInfo, type Credential, type Driver, HangarError, type Profile } from '@hangar/contract';
import { useSchemaForm } from '../../../components/form/use-schema-form.ts';
import type { GalleryEntry } from '../../../gallery/registry.ts';
import { ago, failed, live, loading } from '../../../gallery/samples.ts';
import * as sandboxes from '../../sandboxes/samples.ts';
import { SPEC } from '../samples.ts';
import { CUSTOM, EMPTY_FORM, type JobForm, JobInput } from './new-job-form.ts';
import { NewJobView, type NewJobViewProps } from './new-job-view.tsx';

const agent = (name: string, title: string, command: string, needsEnv: string[][] = []): AgentInfo => ({
  name,
  title,
  command,
  needsEnv,
  install:
    name === 'shell'
      ? 'Nothing to install: runs the fenced sh blocks of the spec with /bin/sh.'
      : `npm install -g ${name}`,
  homepage: 'https://example.com',
});
const AGENTS: readonly AgentInfo[] = [
  agent('shell', 'Shell', 'the sh blocks of the spec'),
  agent('claude', 'Claude Code', 'claude -p --dangerously-skip-permissions', [
    ['ANTHROPIC_API_KEY', 'CLAUDE_CODE_OAUTH_TOKEN'],
  ]),
  agent('codex', 'Codex', 'codex exec --full-auto', [['OPENAI_API_KEY']]),
];
const profile = (name: string, driver: Profile['driver'], isDefault: boolean): Profile => ({
  name,
  driver,
  personal: false,
  settings: {},
  secrets: {},
  limits: {},
  isDefault,
  createdAt: ago(86_400),
  jobsRunning: 0,
});
const PROFILES: readonly Profile[] = [profile('local', 'local', true), profile('docker', 'docker', false)];
const driver = (name: Driver['name'], isolation: string): Driver => ({
  name,
  title: name,
  available: true,
  detail: '',
  settingsSchema: {},
  capabilities: { image: name === 'docker', cpus: true, memory: true, pids: true, isolation, pause: name === 'docker' },
});
const DRIVERS: readonly Driver[] = [
  driver('local', 'bubblewrap: sees its work tree, a private home and the system read-only; the network is open'),
  driver('docker', 'a container with limits of its own; no new privileges'),
];
const CREDENTIALS: readonly Credential[] = [
  {
    name: 'example-git',
    kind: 'https-token',
    host: 'git.example.com',
    username: null,
    createdAt: ago(9000),
    lastUsedAt: null,
  },
];

const FILLED: JobForm = {
  ...EMPTY_FORM,
  repo: 'https://git.example.com/acme/notes.git',
  ref: 'main',
  spec: SPEC,
  profile: 'docker',
  credential: 'example-git',
};

const IN_SANDBOX: JobForm = { ...FILLED, place: 'sandbox', sandbox: sandboxes.running.id };

type Sample = Partial<Omit<NewJobViewProps, 'form'>> & {
  form: JobForm;
  touched?: readonly (keyof JobForm)[];
  error?: HangarError;
  pending?: boolean;
};

function Frame({ form: given, touched = [], error, pending = false, ...props }: Sample) {
  const form = useSchemaForm({ schema: JobInput, initial: given, touched, submit: async () => {} });
  return (
    <NewJobView
      agents={AGENTS}
      profiles={PROFILES}
      drivers={DRIVERS}
      sandboxes={live(sandboxes.all)}
      credentials={CREDENTIALS}
      {...props}
      form={{ ...form, pending, error: error ?? null }}
    />
  );
}

const entry = (id: string, title: string, props: Sample): GalleryEntry => ({
  id,
  title,
  frame: 'bare',
  render: () => <Frame {...props} />,
});

export const entries: GalleryEntry[] = [
  entry('new-job/empty', 'An empty form', { form: EMPTY_FORM }),
  entry('new-job/filled', 'A form that is filled', { form: FILLED }),
  entry('new-job/loading', 'Agents and profiles still load', {
    form: EMPTY_FORM,
    agents: [],
    profiles: [],
    drivers: [],
    sandboxes: loading,
    credentials: [],
  }),
  entry('new-job/more', 'Another command, limits and variables', {
    form: {
      ...FILLED,
      agent: CUSTOM,
      command: 'make fix',
      timeout: '2h',
      memory: '4g',
      env: [
        { key: '1', name: 'OPENAI_API_KEY', value: 'sample' },
        { key: '2', name: 'LOG_LEVEL', value: 'debug' },
      ],
    },
  }),
  entry('new-job/in-sandbox', 'In an open sandbox', {
    form: { ...IN_SANDBOX, spec: SPEC.replace('agent:', 'image: node:24\nagent:'), timeout: '2h' },
  }),
  entry('new-job/in-paused', 'In a sandbox that is paused', {
    form: { ...IN_SANDBOX, sandbox: sandboxes.paused.id },
  }),
  entry('new-job/no-sandbox', 'None is open', {
    form: { ...IN_SANDBOX, sandbox: '' },
    sandboxes: live([]),
    touched: ['sandbox'],
  }),
  entry('new-job/closed-sandbox', 'The sandbox was closed', { form: { ...IN_SANDBOX, sandbox: sandboxes.ended.id } }),
  entry('new-job/sandboxes-loading', 'Sandboxes still load', { form: IN_SANDBOX, sandboxes: loading }),
  entry('new-job/sandboxes-error', 'Sandboxes cannot be read', { form: IN_SANDBOX, sandboxes: failed }),
  entry('new-job/wrong', 'Fields that are wrong', {
    form: {
      ...EMPTY_FORM,
      repo: 'notes',
      ref: '--force',
      spec: '---\nagnet: claude\ntimeout: soon\n---\n# Search\n',
      agent: CUSTOM,
      timeout: 'soon',
      memory: 'lots',
      env: [{ key: '1', name: 'GIT_DIR', value: 'x' }],
    },
    touched: ['repo', 'ref', 'spec', 'command', 'timeout', 'memory', 'env'],
  }),
  entry('new-job/no-blocks', 'Shell without commands', { form: { ...FILLED, spec: '# Only words\n', agent: 'shell' } }),
  entry('new-job/refused', 'The server refuses', { form: FILLED, error: new HangarError('quota_jobs') }),
  entry('new-job/sending', 'Being sent', { form: FILLED, pending: true }),
];
