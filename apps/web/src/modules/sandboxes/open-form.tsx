import { NewSandbox } from '@hangar/contract';
import { useMemo } from 'react';
import { z } from 'zod';
import { FormFrame } from '../../components/form/form-frame.tsx';
import { SchemaFields, useFieldsForm } from '../../components/form/schema-fields.tsx';
import { fieldsOf } from '../../components/form/schema-model.ts';

const { shape } = NewSandbox;
export type OpenRequest = Pick<
  z.input<typeof NewSandbox>,
  'profile' | 'name' | 'image' | 'idleSeconds' | 'lifetimeSeconds'
>;

export interface OpenFormProps {
  /** The first is the one that is taken when none is named. */
  profiles: readonly [string, ...string[]];
  onOpen: (request: OpenRequest) => Promise<unknown>;
  onClose: () => void;
}

const MINUTES = { unit: 60, half: true, input: { suffix: ' min' } };

export function OpenForm({ profiles, onOpen, onClose }: OpenFormProps) {
  const { schema, fields } = useMemo(() => {
    const { name, image, idleSeconds, lifetimeSeconds } = shape;
    const schema = z.object({ profile: z.enum(profiles), name, image, idleSeconds, lifetimeSeconds });
    const words = {
      profile: { label: 'Profile', help: '', half: true },
      name: { label: 'Name', half: true, input: { 'data-autofocus': true } },
      image: { label: 'Image', help: 'Empty: that of the profile' },
      idleSeconds: { label: 'Close without activity after', help: 'Minutes', ...MINUTES },
      lifetimeSeconds: { label: 'Close in any case after', help: 'Minutes', ...MINUTES },
    };
    return { schema, fields: fieldsOf(z.toJSONSchema(schema, { io: 'input' }), { words }) };
  }, [profiles]);
  const form = useFieldsForm({ schema, fields, of: { profile: profiles[0] }, submit: onOpen });
  return (
    <FormFrame form={form} action="Open the sandbox" onClose={onClose}>
      <SchemaFields form={form} fields={fields} />
    </FormFrame>
  );
}
