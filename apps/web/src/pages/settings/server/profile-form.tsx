import {
  type Driver,
  type DriverName,
  DriverSettings,
  Name,
  NewProfile,
  PERSONAL_DRIVERS,
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
  /** Who is none makes personal profiles. */
  isAdmin: boolean;
  /** Null for a new one. */
  profile: Profile | null;
  drivers: readonly Driver[];
  onCreate: (profile: NewProfile) => Promise<unknown>;
  onUpdate: (change: ProfileChange) => Promise<unknown>;
  onClose: () => void;
}

/** The fields of the settings come from the schema of the driver. */
export function ProfileForm({ isAdmin, profile, drivers, onCreate, onUpdate, onClose }: ProfileFormProps) {
  if (profile !== null) return <ChangeForm profile={profile} drivers={drivers} onUpdate={onUpdate} onClose={onClose} />;
  return <NewForm isAdmin={isAdmin} drivers={drivers} onCreate={onCreate} onClose={onClose} />;
}

function NewForm({ isAdmin, drivers, onCreate, onClose }: Omit<ProfileFormProps, 'profile' | 'onUpdate'>) {
  const fields = useMemo(() => newFields(drivers, isAdmin), [drivers, isAdmin]);
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
  const fields = useMemo(() => (driver ? driverFields(driver, profile.personal) : []), [driver, profile.personal]);
  const schema = useMemo(
    () => z.object({ settings: settingsSchemaOf(profile.driver), limits: ProfileLimits.default({}) }),
    [profile.driver],
  );
  const form = useFieldsForm({
    ...{ schema, fields },
    of: profile,
    submit: ({ settings, limits }) => onUpdate({ name, limits, settings: { ...emptied(profile), ...settings } }),
  });
  const sealed = Object.entries(profile.secrets).flatMap(([secret, isSet]) => (isSet ? [`settings.${secret}`] : []));
  return (
    <FormFrame form={form} action="Save profile" onClose={onClose}>
      <SchemaFields form={form} fields={fields} sealed={sealed} />
    </FormFrame>
  );
}

/** What a field shows that is empty now is to go. */
const emptied = ({ settings }: Profile): Record<string, null> =>
  Object.fromEntries(Object.keys(settings).map((name) => [name, null]));

const settingsSchemaOf = (driver: DriverName): z.ZodType<Record<string, unknown>> => DriverSettings[driver];

const NEW = z.toJSONSchema(
  z.object({
    ...{ name: Name, driver: z.string(), isDefault: z.boolean().default(false), personal: z.boolean().default(false) },
  }),
  { io: 'input' },
);
const NEW_WORDS = {
  isDefault: { label: 'Make it the default' },
  personal: { label: 'For me alone', help: `Of ${PERSONAL_DRIVERS.join(', ')}: nobody else sees or uses it.` },
};

function newFields(all: readonly Driver[], isAdmin: boolean): SchemaField[] {
  const drivers = isAdmin ? all : all.filter((driver) => PERSONAL_DRIVERS.includes(driver.name));
  const name = { help: '', half: true, input: { placeholder: 'builder', 'data-autofocus': true } };
  const branches = drivers.map((driver) => ({
    value: driver.name,
    label: driver.title,
    note: driver.available ? undefined : driver.detail,
    fields: driverFields(driver, !isAdmin),
  }));
  return [
    ...fieldsOf(NEW, { words: { name }, without: ['driver', 'isDefault'] }),
    choiceBy(NEW, 'driver', { half: true }, branches),
    ...fieldsOf(NEW, { words: NEW_WORDS, without: ['driver', 'name', ...(isAdmin ? [] : ['personal'])] }),
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

/** In this order, before all that the driver has beside them. */
const SETTING_WORDS = {
  ...{ 'settings.host': {}, 'settings.port': { half: true }, 'settings.user': { half: true } },
  'settings.key': { as: 'page', input: { placeholder: '-----BEGIN OPENSSH PRIVATE KEY-----' } },
  'settings.apiKey': { label: 'API key' },
  'settings.jump': {
    as: 'json',
    help: 'Machines on the way, in order, as JSON: [{"host": "jump.example.org", "user": "ci"}]. The key opens them, too',
  },
} as const;

/** Its settings, and only the limits that it can hold a job to. */
function driverFields({ settingsSchema, capabilities }: Driver, isPersonal: boolean): SchemaField[] {
  const { cpus, memory, pids } = capabilities;
  const without = [
    ...(cpus ? [] : ['limits.cpus']),
    ...(memory ? [] : ['limits.memoryBytes']),
    ...(pids ? [] : ['limits.pids']),
  ];
  return [
    // What the account of the server has in its ~/.ssh is nobody's own.
    ...fieldsOf(settingsSchema, {
      ...{ at: 'settings', words: SETTING_WORDS },
      without: isPersonal ? ['settings.fromConfig'] : [],
    }),
    ...fieldsOf(LIMITS, { at: 'limits', words: LIMIT_WORDS, without }),
  ];
}
