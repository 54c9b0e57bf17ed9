import { HangarError } from '@hangar/contract';
import { z } from 'zod';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { FormFrame } from './form-frame.tsx';
import { SchemaFields, useFieldsForm } from './schema-fields.tsx';
import { fieldsOf } from './schema-model.ts';

const Everything = z.object({
  name: z.string().min(1).describe('What it is called'),
  note: z.string().max(5000).optional(),
  size: z.number().int().min(1).default(3).describe('How many places it has'),
  pull: z.enum(['always', 'missing', 'never']).default('missing'),
  paths: z.array(z.string().startsWith('/', 'An absolute path')).default([]).describe('Folders that may be read'),
  labels: z.record(z.string(), z.string()).default({}),
  token: z.string().optional().meta({ writeOnly: true }).describe('Given to the service alone'),
  wanted: z.boolean().default(true),
  network: z
    .object({ host: z.string(), proxy: z.object({ port: z.number().optional(), user: z.string().optional() }) })
    .describe('How it is reached'),
  source: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('git'), url: z.url(), ref: z.string().optional() }),
    z.object({ kind: z.literal('folder'), path: z.string() }),
  ]),
  matrix: z.array(z.array(z.number())).optional().describe('Has no field of its own'),
});
// Without the words of `matrix` the console would say that it has no field, and the test of the gallery would fail.
const FIELDS = fieldsOf(z.toJSONSchema(Everything, { io: 'input' }), {
  words: { name: { half: true }, size: { half: true }, labels: { noun: 'label' }, matrix: { as: 'json' } },
});

const THING = {
  name: 'builder',
  paths: ['/opt', 'relative'],
  labels: { team: 'notes' },
  network: { host: 'example.com', proxy: {} },
  source: { kind: 'folder', path: '/srv' },
  matrix: [[1], [2, 3]],
};

function Form({ of, sealed, error }: { of?: unknown; sealed?: string[]; error?: HangarError }) {
  const form = useFieldsForm({ schema: Everything, fields: FIELDS, of, submit: async () => {} });
  return (
    <FormFrame form={{ ...form, error: error ?? null }} action="Save" onClose={() => {}} className="">
      <SchemaFields form={form} fields={FIELDS} {...(sealed ? { sealed } : {})} />
    </FormFrame>
  );
}

export const entries: GalleryEntry[] = [
  { id: 'components/form/empty', title: 'A form from a schema', render: () => <Form /> },
  {
    id: 'components/form/filled',
    title: 'A form of what is there already',
    render: () => <Form of={THING} sealed={['token']} />,
  },
  {
    id: 'components/form/refused',
    title: 'A form the server refuses',
    render: () => <Form of={THING} error={new HangarError('admin_only')} />,
  },
];
