import { contract, metaOf, type RawOperation, rawOperations } from '@hangar/contract';
import { expect, it } from 'vitest';
import { openApiDocument } from './openapi.ts';

interface Described {
  readonly security?: unknown;
  readonly parameters?: readonly { name: string; in: string; required?: boolean }[];
}

const { paths } = (await openApiDocument('http://127.0.0.1:7070')) as {
  paths: Record<string, Record<string, Described>>;
};
const described = (method = '', path = ''): Described => {
  const found = paths[path.replace('{+', '{')]?.[method.toLowerCase()];
  if (found === undefined) throw new Error(`${method} ${path} is not described`);
  return found;
};
const all = [
  ...Object.values(contract).flatMap((operations) =>
    Object.values(operations).map((operation) => ({ ...operation['~orpc'].route, meta: metaOf(operation) })),
  ),
  ...Object.values(rawOperations).flatMap((operations) => Object.values<RawOperation>(operations)),
].map(({ method, path, meta }) => ({ path, meta, operation: described(method, path) }));
const namesOf = ({ parameters = [] }: Described, place: string) =>
  parameters.flatMap((parameter) => (parameter.in === place ? parameter.name : [])).sort();

it('names the header of those that may be sent again with a key, and of no other', () => {
  for (const { path, meta, operation } of all)
    expect(namesOf(operation, 'header').includes('Idempotency-Key'), path).toBe(meta.idempotent === 'key');
  expect(all.filter(({ meta }) => meta.idempotent === 'key')).toHaveLength(4);
});

it('says what lets in: a session alone where a token does not', () => {
  for (const { path, meta, operation } of all) {
    const { identities } = meta;
    if (identities === 'public') expect(operation.security, path).toEqual([]);
    else if (identities.includes('worker')) expect(operation.security, path).toEqual([{ worker: [] }]);
    else expect(operation.security, path).toEqual(identities.includes('token') ? undefined : [{ session: [] }]);
  }
});

it('names all that a raw route reads', () => {
  for (const { path = '', operation } of all)
    expect(namesOf(operation, 'path'), path).toEqual(
      [...path.matchAll(/\{\+?(\w+)\}/g)].map(([, name]) => name).sort(),
    );
  const sent = described('PUT', '/worker/artifacts/{name}');
  expect(namesOf(sent, 'query')).toEqual(['deletions', 'files', 'insertions', 'kind', 'number', 'partial']);
  expect(sent.parameters?.filter(({ required }) => required).map(({ name }) => name)).toEqual(['name', 'kind']);
  expect(namesOf(sent, 'header')).toEqual(['X-Content-SHA256']);
  const { properties } = rawOperations.access.authorizeDevice.body.schema.toJSONSchema();
  expect(Object.keys(properties ?? {})).toContain('client_name');
});
