import type { Driver, Profile, Sandbox } from '@hangar/contract';
import { sandboxWords } from '@hangar/contract/words/sandbox';
import { SegmentedControl, Select } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Loadable } from '../../../api/loadable.ts';
import type { SchemaForm } from '../../../components/form/use-schema-form.ts';
import { ErrorState } from '../../../components/state/states.tsx';
import classes from './new-job.module.css';
import type { JobForm } from './new-job-form.ts';

export interface PlaceFieldsProps {
  form: SchemaForm<JobForm>;
  profiles: readonly Profile[];
  drivers: readonly Driver[];
  /** One's own that are not closed. */
  sandboxes: Loadable<readonly Sandbox[]>;
}

/** What the job works on. */
export function PlaceFields(props: PlaceFieldsProps) {
  const { form } = props;
  return (
    <div className={classes.group}>
      <SegmentedControl
        aria-label="Where the agent works"
        fullWidth
        value={form.values.place}
        onChange={(place) => form.set('place', place as JobForm['place'])}
        data={[
          { value: 'profile', label: 'On a profile' },
          { value: 'sandbox', label: 'In an open sandbox' },
        ]}
      />
      {form.values.place === 'sandbox' ? <SandboxField {...props} /> : <ProfileField {...props} />}
    </div>
  );
}

function ProfileField({ form, profiles, drivers }: PlaceFieldsProps) {
  const asked = form.values.profile;
  const standard = profiles.find((profile) => profile.isDefault);
  const chosen = asked === '' ? standard : profiles.find((profile) => profile.name === asked);
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
      {...form.pick('profile')}
      onChange={(profile) => form.set('profile', profile ?? '')}
      data={[
        { value: '', label: standard === undefined ? 'The default profile' : `${standard.name} (default)` },
        ...profiles
          .filter((profile) => !profile.isDefault)
          .map((profile) => ({ value: profile.name, label: profile.name })),
      ]}
    />
  );
}

function SandboxField({ form, sandboxes }: PlaceFieldsProps) {
  const asked = form.values.sandbox;
  const open = (sandboxes.data ?? []).filter(takesJobs);
  const chosen = open.find(({ id }) => id === asked);
  const isThere = chosen !== undefined || asked === '';
  const isLoading = sandboxes.data === undefined && sandboxes.error === null;
  const none = sandboxes.data !== undefined && open.length === 0;
  return (
    <>
      <Select
        label="Sandbox"
        required
        description={
          chosen !== undefined ? (
            <Chosen sandbox={chosen} />
          ) : isThere || sandboxes.data === undefined ? null : (
            'It is closed, or not yours.'
          )
        }
        placeholder={
          none ? 'No open sandbox' : sandboxes.data !== undefined ? 'Choose one' : isLoading ? 'Loading' : ''
        }
        disabled={sandboxes.data === undefined}
        allowDeselect={false}
        {...form.pick('sandbox')}
        value={asked === '' ? null : asked}
        onChange={(sandbox) => form.set('sandbox', sandbox ?? '')}
        data={[
          ...open.map(({ id, name }) => ({ value: id, label: name ?? id })),
          ...(isThere ? [] : [{ value: asked, label: asked }]),
        ]}
        renderOption={({ option }) => {
          const sandbox = open.find(({ id }) => id === option.value);
          return (
            <span className={classes.option}>
              {option.label}
              {sandbox === undefined ? null : <span className={classes.hint}>{standing(sandbox)}</span>}
            </span>
          );
        }}
      />
      {sandboxes.error === null ? null : <ErrorState error={sandboxes.error} onRetry={sandboxes.retry} />}
      <p className={classes.hint}>
        {none ? (
          <>
            None of yours is open.{' '}
            <Link to="/sandboxes" className="hg-link">
              Open one
            </Link>
            : what is typed here stays.
          </>
        ) : (
          'Machine, image, resources and environment are those of the sandbox; the job works in a folder of its own.'
        )}
      </p>
    </>
  );
}

/** One that was asked to close takes none any more. */
const takesJobs = ({ state, closeRequestedAt }: Sandbox): boolean =>
  closeRequestedAt === null && ['queued', 'starting', 'running', 'paused'].includes(state);

/** "s_1a2b3c4d5e on docker, running"; the id stands there already where there is no name. */
function standing(sandbox: Sandbox): string {
  return `${sandbox.name === null ? '' : `${sandbox.id} `}on ${sandbox.profile}, ${sandboxWords(sandbox).word}`;
}

function Chosen({ sandbox }: { sandbox: Sandbox }) {
  return (
    <>
      <Link to="/sandboxes/$id" params={{ id: sandbox.id }} className="hg-link">
        {sandbox.id}
      </Link>{' '}
      on {sandbox.profile}, {sandboxWords(sandbox).word}
      {sandbox.state === 'paused' ? ': the job waits until it is resumed' : ''}
    </>
  );
}
