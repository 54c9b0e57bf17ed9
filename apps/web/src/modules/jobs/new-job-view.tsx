import type { AgentInfo, Credential, Driver, HangarError, Profile } from '@hangar/contract';
import { Button, Select, TextInput } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { type FormEvent, useDeferredValue, useMemo, useState } from 'react';
import { issuesOf } from '../../api/errors.ts';
import { AsCommand, curlFor } from '../../components/as-command.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { Page, PageHeader } from '../../components/page.tsx';
import { EnvFields } from './env-fields.tsx';
import classes from './new-job.module.css';
import {
  agentOf,
  bodyOf,
  CUSTOM,
  commandOf,
  errorsOf,
  type JobErrors,
  type JobField,
  type JobForm,
  readSpec,
  specBytes,
  timesOf,
} from './new-job-form.ts';
import { SpecEditor } from './spec-editor.tsx';
import { SpecPreview } from './spec-preview.tsx';

export interface NewJobViewProps {
  form: JobForm;
  onForm: (form: JobForm) => void;
  agents: readonly AgentInfo[];
  profiles: readonly Profile[];
  drivers: readonly Driver[];
  credentials: readonly Credential[];
  onSend: () => void;
  pending: boolean;
  error: HangarError | null;
  /** Fields that are checked from the start; the others when they are left. */
  touched?: readonly JobField[];
}

const ALL: readonly JobField[] = [
  'repo',
  'ref',
  'spec',
  'command',
  'times',
  'profile',
  'credential',
  'image',
  'timeout',
  'cpus',
  'memory',
  'env',
];

/** Names of the server's fields → ours. */
const SERVER_FIELDS: Record<string, JobField> = {
  'repo.url': 'repo',
  repo: 'repo',
  'repo.ref': 'ref',
  spec: 'spec',
  agent: 'command',
  profile: 'profile',
  credential: 'credential',
  image: 'image',
  timeoutSeconds: 'timeout',
  'resources.cpus': 'cpus',
  'resources.memoryBytes': 'memory',
  env: 'env',
};

export function NewJobView(props: NewJobViewProps) {
  const { form, onForm, error } = props;
  const [left, setLeft] = useState<ReadonlySet<JobField>>(() => new Set(props.touched));
  // A long spec takes a moment to read: typing does not wait for it.
  const settled = useDeferredValue(form);
  const read = useMemo(() => readSpec(settled.spec), [settled.spec]);
  const errors = useMemo(() => errorsOf(settled), [settled]);
  const told: JobErrors = { ...serverErrors(error), ...only(errors, left) };
  const agent = agentOf(settled, read.spec);
  const set = (part: Partial<JobForm>) => onForm({ ...form, ...part });
  const leave = (field: JobField) => () => setLeft((old) => (old.has(field) ? old : new Set(old).add(field)));

  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setLeft(new Set(ALL));
    if (Object.keys(errorsOf(form)).length > 0) {
      const target = event.currentTarget;
      requestAnimationFrame(() =>
        target.querySelector<HTMLElement>(':is(input, textarea)[aria-invalid="true"]')?.focus(),
      );
    } else if (!props.pending) props.onSend();
  };

  return (
    <Page>
      <PageHeader
        title="New job"
        sub="Send a repository and a spec to an agent. Its work comes back as a diff."
        actions={<AsCommand hangar={commandOf(form)} curl={curlFor('POST', '/jobs', bodyOf(form))} />}
      />
      <form className={classes.form} onSubmit={onSubmit} noValidate>
        <div className={classes.main}>
          <div className={classes.pair}>
            <TextInput
              label="Repository"
              required
              placeholder="https://git.example.com/team/project.git"
              inputMode="url"
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
              value={form.repo}
              error={told.repo}
              onChange={(event) => set({ repo: event.currentTarget.value })}
              onBlur={leave('repo')}
            />
            <TextInput
              label="Branch, tag or commit"
              placeholder="the default branch"
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
              value={form.ref}
              error={told.ref}
              onChange={(event) => set({ ref: event.currentTarget.value })}
              onBlur={leave('ref')}
            />
          </div>
          <SpecEditor
            text={form.spec}
            onText={(text) => set({ spec: text })}
            onLeave={leave('spec')}
            error={told.spec}
          />
        </div>
        <div className={classes.side}>
          <SpecPreview {...read} bytes={specBytes(settled.spec)} agent={agent} />
          <AgentFields {...props} set={set} problem={told.command} onLeave={leave('command')} running={agent} />
          <TextInput
            label="Times"
            description="More than one is a group: compare what each makes, pull the best."
            placeholder="1"
            inputMode="numeric"
            autoComplete="off"
            value={form.times}
            error={told.times}
            onChange={(event) => set({ times: event.currentTarget.value })}
            onBlur={leave('times')}
          />
          <ProfileField {...props} set={set} problem={told.profile} />
          <CredentialField {...props} set={set} problem={told.credential} />
        </div>
        <details className={classes.more} open={hasMore(form, told)}>
          <summary>Image, limits, title and environment</summary>
          <div className={classes.moreBody}>
            <div className={classes.grid}>
              <Plain label="Image" placeholder="that of the profile" field="image" {...{ form, set, told, leave }} />
              <Plain label="Time limit of the agent" placeholder="1h" field="timeout" {...{ form, set, told, leave }} />
              <Plain
                label="CPU cores"
                placeholder="those of the profile"
                field="cpus"
                {...{ form, set, told, leave }}
              />
              <Plain label="Memory" placeholder="2g" field="memory" {...{ form, set, told, leave }} />
              <Plain label="Processes" placeholder="as many as it likes" field="pids" {...{ form, set, told, leave }} />
              <Plain
                label="Title"
                placeholder="the heading of the spec"
                field="title"
                {...{ form, set, told, leave }}
              />
            </div>
            <EnvFields entries={form.env} onEntries={(env) => set({ env })} onLeave={leave('env')} error={told.env} />
          </div>
        </details>
        <div className={classes.send}>
          {error === null ? null : <ErrorState error={error} />}
          <div className={classes.sendLine}>
            <Button type="submit" leftSection={<IconSend size={15} />} loading={props.pending}>
              {(timesOf(form) ?? 1) > 1 ? `Send ${timesOf(form)} jobs` : 'Send job'}
            </Button>
            <span className={classes.hint}>It runs without this page: you can close it.</span>
          </div>
        </div>
      </form>
    </Page>
  );
}

type Setter = (part: Partial<JobForm>) => void;

interface PlainProps {
  label: string;
  placeholder: string;
  field: 'image' | 'timeout' | 'cpus' | 'memory' | 'pids' | 'title';
  form: JobForm;
  set: Setter;
  told: JobErrors;
  leave: (field: JobField) => () => void;
}

function Plain({ label, placeholder, field, form, set, told, leave }: PlainProps) {
  return (
    <TextInput
      label={label}
      placeholder={placeholder}
      autoComplete="off"
      autoCapitalize="off"
      spellCheck={false}
      value={form[field]}
      error={told[field]}
      onChange={(event) => set({ [field]: event.currentTarget.value })}
      onBlur={leave(field)}
    />
  );
}

function AgentFields(
  props: NewJobViewProps & { set: Setter; problem: string | undefined; onLeave: () => void; running: string },
) {
  const { form, agents, set } = props;
  const chosen = agents.find((agent) => agent.name === props.running);
  const given = new Set(form.env.filter((entry) => entry.value !== '').map((entry) => entry.name.trim()));
  const missing = chosen?.needsEnv.filter((names) => !names.some((name) => given.has(name))) ?? [];
  return (
    <div className={classes.group}>
      <Select
        label="Agent"
        description={
          chosen === undefined ? null : chosen.name === 'shell' ? chosen.install : <code>{chosen.command}</code>
        }
        allowDeselect={false}
        value={form.agent}
        onChange={(agent) => set({ agent: agent ?? '' })}
        data={[
          { value: '', label: 'As the spec says, else Shell' },
          ...agents.map((agent) => ({ value: agent.name, label: agent.title })),
          { value: CUSTOM, label: 'Another command' },
        ]}
      />
      {form.agent === CUSTOM ? (
        <TextInput
          label="Command"
          required
          description="Runs in the work tree; the spec arrives on its standard input."
          classNames={{ input: classes.mono ?? '' }}
          placeholder="my-agent --yes"
          autoComplete="off"
          spellCheck={false}
          value={form.command}
          error={props.problem}
          onChange={(event) => set({ command: event.currentTarget.value })}
          onBlur={props.onLeave}
        />
      ) : null}
      {missing.map((names) => (
        <p key={names.join()} className={classes.hint}>
          Needs{' '}
          {names.map((name, index) => (
            <span key={name}>
              {index === 0 ? '' : ' or '}
              <code>{name}</code>
            </span>
          ))}{' '}
          in its environment.{' '}
          <button
            type="button"
            className={classes.linkButton}
            onClick={() =>
              set({ env: [...form.env, { key: `need-${form.env.length + 1}`, name: names[0] ?? '', value: '' }] })
            }
          >
            Add it
          </button>
        </p>
      ))}
    </div>
  );
}

function ProfileField({
  form,
  profiles,
  drivers,
  set,
  problem,
}: NewJobViewProps & { set: Setter; problem: string | undefined }) {
  const standard = profiles.find((profile) => profile.isDefault);
  const chosen = form.profile === '' ? standard : profiles.find((profile) => profile.name === form.profile);
  const driver = drivers.find((candidate) => candidate.name === chosen?.driver);
  return (
    <Select
      label="Profile"
      description={
        chosen === undefined ? null : (
          <>
            Driver {chosen.driver}
            {driver === undefined ? '' : `: ${driver.capabilities.isolation}`}
            {driver?.available === false ? ` (${driver.detail})` : ''}
          </>
        )
      }
      allowDeselect={false}
      error={problem}
      value={form.profile}
      onChange={(profile) => set({ profile: profile ?? '' })}
      data={[
        { value: '', label: standard === undefined ? 'The default profile' : `${standard.name} (default)` },
        ...profiles
          .filter((profile) => !profile.isDefault)
          .map((profile) => ({ value: profile.name, label: profile.name })),
      ]}
    />
  );
}

function CredentialField({
  form,
  credentials,
  set,
  problem,
}: NewJobViewProps & { set: Setter; problem: string | undefined }) {
  return (
    <Select
      label="Git credential"
      description={
        credentials.length === 0 ? (
          <>
            For private repositories.{' '}
            <Link to="/settings/$section" params={{ section: 'credentials' }} className="hg-link">
              Add one
            </Link>
          </>
        ) : (
          'For private repositories. Given to git in memory only.'
        )
      }
      allowDeselect={false}
      error={problem}
      value={form.credential}
      onChange={(credential) => set({ credential: credential ?? '' })}
      data={[
        { value: '', label: 'None' },
        ...credentials.map((credential) => ({
          value: credential.name,
          label: credential.host === null ? credential.name : `${credential.name} (${credential.host})`,
        })),
      ]}
    />
  );
}

const MORE = ['title', 'image', 'timeout', 'cpus', 'memory', 'pids'] as const;

function hasMore(form: JobForm, told: JobErrors): boolean {
  const isUsed = MORE.some((field) => form[field] !== '') || form.env.length > 0;
  return isUsed || [...MORE, 'env'].some((field) => field in told);
}

function only(errors: JobErrors, fields: ReadonlySet<JobField>): JobErrors {
  return Object.fromEntries(
    Object.entries(errors).filter(([field]) => ALL.some((known) => known === field && fields.has(known))),
  );
}

function serverErrors(error: HangarError | null): JobErrors {
  const found: { -readonly [K in JobField]?: string } = {};
  for (const [name, message] of Object.entries(issuesOf(error))) {
    const field = SERVER_FIELDS[name] ?? SERVER_FIELDS[name.split('.')[0] ?? ''];
    if (field !== undefined) found[field] = message;
  }
  const byCode = error === null ? undefined : ERROR_FIELDS[error.code];
  if (byCode !== undefined && error !== null) found[byCode] ??= error.message;
  return found;
}

const ERROR_FIELDS: Partial<Record<string, JobField>> = {
  repo_required: 'repo',
  repo_url_invalid: 'repo',
  repo_ref_invalid: 'ref',
  spec_empty: 'spec',
  spec_too_large: 'spec',
  spec_front_matter: 'spec',
  spec_no_commands: 'spec',
  agent_unknown: 'command',
  profile_not_found: 'profile',
  credential_not_found: 'credential',
  env_invalid: 'env',
  timeout_too_long: 'timeout',
};
