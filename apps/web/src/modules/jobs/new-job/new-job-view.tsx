import type { AgentInfo, Credential } from '@hangar/contract';
import { Button, Select, TextInput } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useDeferredValue, useMemo } from 'react';
import { AsCommand, curlFor } from '../../../components/actions/as-command.tsx';
import { MapField } from '../../../components/form/map-field.tsx';
import type { SchemaForm } from '../../../components/form/use-schema-form.ts';
import { Page, PageHeader } from '../../../components/page.tsx';
import { ErrorState } from '../../../components/state/states.tsx';
import classes from './new-job.module.css';
import {
  agentOf,
  bodyOf,
  CUSTOM,
  commandOf,
  counts,
  type JobForm,
  readSpec,
  specBytes,
  timesOf,
} from './new-job-form.ts';
import { PlaceFields, type PlaceFieldsProps } from './place-fields.tsx';
import { SpecEditor } from './spec-editor.tsx';
import { SpecPreview } from './spec-preview.tsx';

export interface NewJobViewProps extends PlaceFieldsProps {
  agents: readonly AgentInfo[];
  credentials: readonly Credential[];
}

export function NewJobView(props: NewJobViewProps) {
  const { form } = props;
  const { values } = form;
  // A long spec takes a moment to read: typing does not wait for it.
  const settled = useDeferredValue(values);
  const read = useMemo(() => readSpec(settled.spec), [settled.spec]);
  const agent = agentOf(settled, read.spec);
  const times = timesOf(values) ?? 1;
  const inSandbox = values.place === 'sandbox';

  return (
    <Page>
      <PageHeader
        title="New job"
        sub="Send a repository and a spec to an agent. Its work comes back as a diff."
        actions={<AsCommand hangar={commandOf(values)} curl={curlFor('POST', '/jobs', bodyOf(values))} />}
      />
      <form className={classes.form} onSubmit={form.onSubmit} noValidate>
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
              {...form.text('repo')}
            />
            <TextInput
              label="Branch, tag or commit"
              placeholder="the default branch"
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
              {...form.text('ref')}
            />
          </div>
          <SpecEditor {...form.text('spec')} />
        </div>
        <div className={classes.side}>
          <SpecPreview {...read} bytes={specBytes(settled.spec)} agent={agent} inSandbox={inSandbox} />
          <AgentFields {...props} running={agent} />
          <TextInput
            label="Times"
            description="More than one is a group: compare what each makes, pull the best."
            placeholder="1"
            inputMode="numeric"
            autoComplete="off"
            {...form.text('times')}
          />
          <PlaceFields {...props} />
          <CredentialField {...props} />
        </div>
        <details className={classes.more} open={hasMore(form)}>
          <summary>{inSandbox ? 'Time limit, title and environment' : 'Image, limits, title and environment'}</summary>
          <div className={classes.moreBody}>
            <div className={classes.grid}>
              {moreOf(values).map(([field, label, placeholder]) => (
                <TextInput
                  key={field}
                  label={label}
                  placeholder={placeholder}
                  autoComplete="off"
                  autoCapitalize="off"
                  spellCheck={false}
                  {...form.text(field)}
                />
              ))}
            </div>
            <MapField
              label="Environment"
              help={`${inSandbox ? "Added to the sandbox's own. " : ''}Values are stored encrypted, what looks like a secret is masked in the log, and all are gone when you reload this page.`}
              noun="variable"
              isSecret
              entries={values.env}
              onEntries={(env) => form.set('env', env)}
              onLeave={() => form.touch('env')}
              error={form.errors.env}
            />
          </div>
        </details>
        <div className={classes.send}>
          {form.error === null ? null : <ErrorState error={form.error} />}
          <div className={classes.sendLine}>
            <Button type="submit" leftSection={<IconSend size={15} />} loading={form.pending}>
              {times > 1 ? `Send ${times} jobs` : 'Send job'}
            </Button>
            <span className={classes.hint}>It runs without this page: you can close it.</span>
          </div>
        </div>
      </form>
    </Page>
  );
}

function AgentFields({ form, agents, sandboxes, running }: NewJobViewProps & { running: string }) {
  const { agent: asked, env, place, sandbox } = form.values;
  const chosen = agents.find((agent) => agent.name === running);
  const inSandbox = place === 'sandbox' ? sandboxes.data?.find(({ id }) => id === sandbox) : undefined;
  const typed = env.filter((entry) => entry.value !== '').map((entry) => entry.name.trim());
  const given = new Set([...typed, ...(inSandbox?.envNames ?? [])]);
  const missing = chosen?.needsEnv.filter((names) => !names.some((name) => given.has(name))) ?? [];
  return (
    <div className={classes.group}>
      <Select
        label="Agent"
        description={
          chosen === undefined ? null : chosen.name === 'shell' ? chosen.install : <code>{chosen.command}</code>
        }
        allowDeselect={false}
        value={asked}
        onChange={(agent) => form.set('agent', agent ?? '')}
        data={[
          { value: '', label: 'As the spec says, else Shell' },
          ...agents.map((agent) => ({ value: agent.name, label: agent.title })),
          { value: CUSTOM, label: 'Another command' },
        ]}
      />
      {asked === CUSTOM ? (
        <TextInput
          label="Command"
          required
          description="Runs in the work tree; the spec arrives on its standard input."
          classNames={{ input: classes.mono ?? '' }}
          placeholder="my-agent --yes"
          autoComplete="off"
          spellCheck={false}
          {...form.text('command')}
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
              form.set('env', [...env, { key: `need-${env.length + 1}`, name: names[0] ?? '', value: '' }])
            }
          >
            Add it
          </button>
        </p>
      ))}
    </div>
  );
}

function CredentialField({ form, credentials }: NewJobViewProps) {
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
      {...form.pick('credential')}
      onChange={(credential) => form.set('credential', credential ?? '')}
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

const MORE = [
  ['image', 'Image', 'that of the profile'],
  ['timeout', 'Time limit of the agent', '1h'],
  ['cpus', 'CPU cores', 'those of the profile'],
  ['memory', 'Memory', '2g'],
  ['pids', 'Processes', 'as many as it likes'],
  ['title', 'Title', 'the heading of the spec'],
] as const;

const moreOf = ({ place }: JobForm) => MORE.filter(([field]) => counts(field, place));

const hasMore = ({ values, errors }: SchemaForm<JobForm>): boolean =>
  values.env.length > 0 || 'env' in errors || moreOf(values).some(([field]) => values[field] !== '' || field in errors);
