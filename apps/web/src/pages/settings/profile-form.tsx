import {
  type Driver,
  type DriverName,
  DriverSettings,
  Name,
  NewProfile,
  type Profile,
  ProfileLimits,
} from '@hangar/contract';
import { Button, Group, NumberInput, Select, Stack, Switch, TextInput } from '@mantine/core';
import { z } from 'zod';
import { Callout } from '../../components/callout.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { type SchemaForm, useSchemaForm } from '../../components/form/use-schema-form.ts';
import { fieldsOf, type SchemaField, SchemaFields } from './schema-fields.tsx';
import classes from './settings.module.css';

export interface ProfileChange {
  name: string;
  settings?: Record<string, unknown>;
  limits?: z.infer<typeof ProfileLimits>;
}
type Values = Record<string, unknown>;

const MIB = 1024 * 1024;

export interface ProfileFormProps {
  /** Null for a new one. */
  profile: Profile | null;
  drivers: readonly Driver[];
  onCreate: (profile: NewProfile) => Promise<unknown>;
  onUpdate: (change: ProfileChange) => Promise<unknown>;
  onClose: () => void;
}

/** The fields of the settings come from the schema of the driver. */
export function ProfileForm({ profile, drivers, onCreate, onUpdate, onClose }: ProfileFormProps) {
  if (profile !== null) return <ChangeForm profile={profile} drivers={drivers} onUpdate={onUpdate} onClose={onClose} />;
  return <NewForm drivers={drivers} onCreate={onCreate} onClose={onClose} />;
}

function NewForm({ drivers, onCreate, onClose }: Pick<ProfileFormProps, 'drivers' | 'onCreate' | 'onClose'>) {
  const initial: Values = { name: '', driver: drivers[0]?.name ?? 'local', isDefault: false, ...emptyLimits };
  for (const driver of drivers)
    for (const field of fieldsOf(driver.settingsSchema)) initial[`settings.${field.name}`] ??= '';
  const driverOf = (name: unknown) => drivers.find((driver) => driver.name === name);
  const form = useSchemaForm<Values, typeof NewProfile>({
    schema: NewProfile,
    initial,
    keepAs: 'new-profile',
    submit: onCreate,
  });
  const driver = driverOf(form.values.driver);
  return (
    <form onSubmit={form.onSubmit} noValidate>
      <Stack gap={14}>
        <div className={classes.pair}>
          <TextInput label="Name" placeholder="builder" data-autofocus {...form.text('name')} />
          <Select
            label="Driver"
            data={drivers.map(({ name, title }) => ({ value: name, label: title }))}
            allowDeselect={false}
            value={driver?.name ?? null}
            onChange={(name) => form.set('driver', name)}
          />
        </div>
        {driver && !driver.available ? <Callout tone="needs">{driver.detail}</Callout> : null}
        {driver ? <SchemaFields form={form} fields={settingsOf(driver)} /> : null}
        {driver ? <Limits form={form} driver={driver} /> : null}
        <Switch label="Make it the default" {...form.check('isDefault')} />
        <Foot form={form} action="Make profile" onClose={onClose} />
      </Stack>
    </form>
  );
}

interface ChangeFormProps {
  profile: Profile;
  drivers: readonly Driver[];
  onUpdate: ProfileFormProps['onUpdate'];
  onClose: () => void;
}

function ChangeForm({ profile, drivers, onUpdate, onClose }: ChangeFormProps) {
  const driver = drivers.find((candidate) => candidate.name === profile.driver);
  const fields = driver ? settingsOf(driver) : [];
  const initial: Values = { name: profile.name, ...emptyLimits };
  for (const field of fields) initial[field.name] = profile.settings[field.name.slice('settings.'.length)] ?? '';
  for (const [name, value] of Object.entries(profile.limits)) initial[`limits.${name}`] = value;
  const schema = z.object({
    name: Name,
    settings: settingsSchemaOf(profile.driver),
    limits: ProfileLimits.default({}),
  });
  const form = useSchemaForm<Values, typeof schema>({ schema, initial, submit: onUpdate });
  return (
    <form onSubmit={form.onSubmit} noValidate>
      <Stack gap={14}>
        <SchemaFields form={form} fields={fields} />
        {driver ? <Limits form={form} driver={driver} /> : null}
        <Foot form={form} action="Save profile" onClose={onClose} />
      </Stack>
    </form>
  );
}

function settingsSchemaOf(driver: DriverName) {
  if (driver === 'kubernetes') return DriverSettings.kubernetes.prefault({});
  return driver === 'docker' ? DriverSettings.docker.prefault({}) : DriverSettings.local.prefault({});
}

const emptyLimits = { 'limits.cpus': '', 'limits.memoryBytes': '', 'limits.pids': '', 'limits.jobsAtOnce': '' };

const settingsOf = (driver: Driver): SchemaField[] =>
  fieldsOf(driver.settingsSchema).map((field) => ({ ...field, name: `settings.${field.name}` }));

/** Only the limits that the driver can hold a job to. */
function Limits({ form, driver }: { form: SchemaForm<Values>; driver: Driver }) {
  const { capabilities } = driver;
  const number = (name: string, unit = 1) => {
    const value = form.values[name];
    return {
      name,
      min: 0,
      value: typeof value === 'number' ? value / unit : '',
      error: form.errors[name],
      onBlur: form.pick(name).onBlur,
      onChange: (typed: number | string) =>
        form.set(name, typed === '' ? '' : unit === 1 ? Number(typed) : Math.round(Number(typed) * unit)),
    };
  };
  return (
    <div className={classes.pair}>
      {capabilities.cpus ? (
        <NumberInput label="CPU cores of a job" placeholder="no limit" {...number('limits.cpus')} />
      ) : null}
      {capabilities.memory ? (
        <NumberInput
          label="Memory of a job"
          placeholder="no limit"
          suffix=" MiB"
          {...number('limits.memoryBytes', MIB)}
        />
      ) : null}
      {capabilities.pids ? (
        <NumberInput label="Processes of a job" placeholder="no limit" {...number('limits.pids')} />
      ) : null}
      <NumberInput label="Jobs at once" placeholder="no limit" {...number('limits.jobsAtOnce')} />
    </div>
  );
}

function Foot({ form, action, onClose }: { form: SchemaForm<Values>; action: string; onClose: () => void }) {
  return (
    <>
      {form.error ? <ErrorState error={form.error} /> : null}
      <Group justify="flex-end" gap={8}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={form.pending}>
          {action}
        </Button>
      </Group>
    </>
  );
}
