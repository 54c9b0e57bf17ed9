import {
  type Driver,
  type DriverName,
  DriverSettings,
  Name,
  NewProfile,
  type Profile,
  ProfileLimits,
} from '@hangar/contract';
import { useMemo } from 'react';
import { z } from 'zod';
import { FormFrame } from '../../../components/form/form-frame.tsx';
import { SchemaFields, useFieldsForm } from '../../../components/form/schema-fields.tsx';
import { choiceBy, fieldsOf, type SchemaField } from '../../../components/form/schema-model.ts';

export interface ProfileChange {
  name: string;
  settings?: Record<string, unknown>;
  limits?: z.infer<typeof ProfileLimits>;
}

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
  const fields = useMemo(() => newFields(drivers), [drivers]);
  const form = useFieldsForm({ schema: NewProfile, fields, keepAs: 'new-profile', submit: onCreate });
  return (
    <FormFrame form={form} action="Make profile" onClose={onClose}>
      <SchemaFields form={form} fields={fields} />
    </FormFrame>
  );
}

interface ChangeFormProps {
  profile: Profile;
  drivers: readonly Driver[];
  onUpdate: ProfileFormProps['onUpdate'];
  onClose: () => void;
}

function ChangeForm({ profile, drivers, onUpdate, onClose }: ChangeFormProps) {
  const { name } = profile;
  const driver = drivers.find((candidate) => candidate.name === profile.driver);
  const fields = useMemo(() => (driver ? driverFields(driver) : []), [driver]);
  const schema = useMemo(
    () => z.object({ settings: settingsSchemaOf(profile.driver), limits: ProfileLimits.default({}) }),
    [profile.driver],
  );
  const form = useFieldsForm({ schema, fields, of: profile, submit: (change) => onUpdate({ name, ...change }) });
  return (
    <FormFrame form={form} action="Save profile" onClose={onClose}>
      <SchemaFields form={form} fields={fields} />
    </FormFrame>
  );
}

function settingsSchemaOf(driver: DriverName) {
  if (driver === 'kubernetes') return DriverSettings.kubernetes.prefault({});
  return driver === 'docker' ? DriverSettings.docker.prefault({}) : DriverSettings.local.prefault({});
}

const NEW = z.toJSONSchema(z.object({ name: Name, driver: z.string(), isDefault: z.boolean().default(false) }), {
  io: 'input',
});

function newFields(drivers: readonly Driver[]): SchemaField[] {
  const name = { help: '', half: true, input: { placeholder: 'builder', 'data-autofocus': true } };
  const branches = drivers.map((driver) => ({
    value: driver.name,
    label: driver.title,
    note: driver.available ? undefined : driver.detail,
    fields: driverFields(driver),
  }));
  return [
    ...fieldsOf(NEW, { words: { name }, without: ['driver', 'isDefault'] }),
    choiceBy(NEW, 'driver', { half: true }, branches),
    ...fieldsOf(NEW, { words: { isDefault: { label: 'Make it the default' } }, without: ['driver', 'name'] }),
  ];
}

const LIMITS = z.toJSONSchema(ProfileLimits, { io: 'input' });
const noLimit = (label: string) => ({ label, help: '', half: true, input: { placeholder: 'no limit' } });
const LIMIT_WORDS = {
  'limits.cpus': noLimit('CPU cores of a job'),
  'limits.memoryBytes': {
    ...noLimit('Memory of a job'),
    unit: 1024 * 1024,
    input: { placeholder: 'no limit', suffix: ' MiB' },
  },
  'limits.pids': noLimit('Processes of a job'),
  'limits.jobsAtOnce': noLimit('Jobs at once'),
};

/** Its settings, and only the limits that it can hold a job to. */
function driverFields({ settingsSchema, capabilities }: Driver): SchemaField[] {
  const { cpus, memory, pids } = capabilities;
  const without = [
    ...(cpus ? [] : ['limits.cpus']),
    ...(memory ? [] : ['limits.memoryBytes']),
    ...(pids ? [] : ['limits.pids']),
  ];
  return [
    ...fieldsOf(settingsSchema, { at: 'settings' }),
    ...fieldsOf(LIMITS, { at: 'limits', words: LIMIT_WORDS, without }),
  ];
}
