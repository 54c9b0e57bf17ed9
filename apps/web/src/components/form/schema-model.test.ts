import { DriverSettings, NewCredential, NewJob, NewProfile, Plan, ProfileLimits } from '@hangar/contract';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { fieldsOf, type SchemaField, secretsOf, unknownOf } from './schema-model.ts';
import { inputOf, valuesOf } from './schema-values.ts';

const model = (schema: z.ZodType, options?: Parameters<typeof fieldsOf>[1]) =>
  fieldsOf(z.toJSONSchema(schema, { io: 'input' }), options);
const kinds = (fields: readonly SchemaField[]) => fields.map(({ name, kind }) => `${name} ${kind}`);

const Everything = z.object({
  name: z.string(),
  note: z.string().max(5000).optional(),
  size: z.number().int().min(1).nullable(),
  pull: z.enum(['always', 'never']).default('never'),
  wanted: z.boolean().default(true),
  paths: z.array(z.string()).default([]),
  labels: z.record(z.string(), z.string()).default({}),
  token: z.string().optional().meta({ writeOnly: true }),
  network: z.object({ host: z.string(), proxy: z.object({ port: z.number().optional() }) }),
  source: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('git'), url: z.string() }),
      z.object({ kind: z.literal('folder'), path: z.string(), url: z.string().optional() }),
    ])
    .describe('Where it comes from'),
  matrix: z.array(z.array(z.number())).optional(),
});

it('every type has a field of its own; what has none is JSON, and is told', () => {
  const fields = model(Everything);
  expect(kinds(fields)).toEqual([
    'name text',
    'note page',
    'size number',
    'pull choice',
    'wanted switch',
    'paths list',
    'labels map',
    'token secret',
    'network group',
    'source group',
    'matrix json',
  ]);
  expect(unknownOf(fields)).toEqual(['matrix']);
  expect(unknownOf(model(Everything, { words: { matrix: { as: 'json' } } }))).toEqual([]);
  expect(secretsOf(fields)).toEqual(['token']);
  expect(fields.find(({ name }) => name === 'source')?.help).toBe('Where it comes from');
});

it('no schema that a form is made of has a type without a field', () => {
  const schemas = [...Object.values(DriverSettings), ProfileLimits, NewProfile, NewCredential, Plan, NewJob];
  // The form of profiles says so, and what is to be typed.
  const words = { jump: { as: 'json' }, 'settings.jump': { as: 'json' } } as const;
  expect(schemas.flatMap((schema) => unknownOf(model(schema, { words })))).toEqual([]);
});

it('a thing comes out of its fields as it went in; a secret never goes in', () => {
  const fields = model(Everything);
  const thing = {
    name: 'a',
    note: 'n',
    size: null,
    pull: 'always',
    wanted: false,
    paths: ['/a', '/b'],
    labels: { team: 'x', 'a.b': 'y' },
    network: { host: 'h', proxy: { port: 3 } },
    source: { kind: 'folder', path: '/p', url: 'u' },
    matrix: [[1], [2]],
  };
  const values = valuesOf(fields, { ...thing, token: 'kept' });
  expect(JSON.stringify(values)).not.toContain('kept');
  const { input, errors } = inputOf(fields, values);
  expect(errors).toEqual({});
  expect(Everything.parse(input)).toEqual(thing);
});

it('of a union only the branch that is chosen is sent, and what is required inside a group is missed', () => {
  const fields = model(Everything);
  const values = valuesOf(fields, { source: { kind: 'folder', path: '/p' } });
  const { input } = inputOf(fields, { ...values, 'source.kind': 'git', 'source.url': 'u' });
  expect(input.source).toEqual({ kind: 'git', url: 'u' });
  expect(input).not.toHaveProperty('labels');
  expect(input).toMatchObject({ size: null, wanted: true });
  expect(input.network).toEqual({ proxy: {} });
  expect(inputOf(fields, { ...values, matrix: '[' }).errors).toEqual({ matrix: 'Not JSON' });
});

it('a union may be the whole schema', () => {
  const fields = model(NewProfile);
  expect(kinds(fields)).toEqual(['driver union']);
  const values = valuesOf(fields, { driver: 'docker', name: 'builder', settings: { image: 'debian:13' } });
  expect(NewProfile.parse(inputOf(fields, values).input)).toMatchObject({
    name: 'builder',
    driver: 'docker',
    settings: { image: 'debian:13' },
  });
});

it('words come before what the schema says, and set the order', () => {
  const fields = model(Plan, { words: { id: { label: 'Short name', help: '' }, title: {} }, without: ['keepBytes'] });
  expect(fields.slice(0, 3)).toMatchObject([
    { name: 'id', label: 'Short name', help: undefined },
    { name: 'title', label: 'Title' },
    { name: 'jobsAtOnce', help: 'Jobs of one person that run at the same time' },
  ]);
  expect(fields.map(({ name }) => name)).not.toContain('keepBytes');
});
