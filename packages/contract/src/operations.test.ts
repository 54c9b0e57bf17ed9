import { expect, it } from 'vitest';
import { contract, metaOf, type OperationMeta, type RawOperation, rawOperations } from './index.ts';
import { isRepeatable } from './request.ts';

const declared = Object.entries(contract).flatMap(([group, operations]) =>
  Object.entries(operations).map(([name, operation]) => {
    const { method = '', path = '' } = operation['~orpc'].route;
    return { name: `${group}.${name}`, method, path, meta: metaOf(operation) };
  }),
);
const raw = Object.entries(rawOperations).flatMap(([group, operations]) =>
  Object.entries<RawOperation>(operations).map(([name, { method, path, meta }]) => ({
    ...{ name: `raw ${group}.${name}`, method, path, meta },
  })),
);
const all: readonly { name: string; method: string; path: string; meta: OperationMeta }[] = [...declared, ...raw];
const names = (of: (meta: OperationMeta, method: string) => boolean) =>
  all.filter(({ meta, method }) => of(meta, method)).map(({ name }) => name);

it('everything is decided for each operation, and nothing else is said', () => {
  const decided = [
    ...['admin', 'approval', 'command', 'destructive', 'idempotent'],
    ...['identities', 'mcp', 'readOnly', 'spends'],
  ];
  for (const { name, meta } of all) expect(Object.keys(meta).sort(), name).toEqual(decided);
  expect(new Set(all.map(({ method, path }) => `${method} ${path}`)).size).toBe(all.length);
});

it('what is decided does not contradict itself', () => {
  // A WebSocket begins with a GET, and is guarded like what changes something.
  expect(names(({ readOnly }, method) => method === 'GET' && !readOnly)).toEqual(['raw sandboxes.terminal']);
  for (const operation of Object.values(rawOperations).flatMap((group) => Object.values<RawOperation>(group)))
    expect(operation.webSocket !== undefined).toBe(operation.method === 'GET' && !operation.meta.readOnly);
  expect(names(({ readOnly, idempotent }) => readOnly && idempotent !== true)).toEqual([]);
  expect(names(({ readOnly, destructive, spends }) => readOnly && (destructive || spends))).toEqual([]);
  expect(names(({ destructive, approval }) => destructive && !approval)).toEqual([]);
  expect(names(({ destructive }, method) => method === 'DELETE' && !destructive)).toEqual([]);
  // Who is not known is no admin, and an agent is never let in by what only a browser or a worker may do.
  expect(names(({ identities, admin }) => identities === 'public' && admin !== false)).toEqual([]);
  expect(names(({ identities, mcp }) => mcp && (identities === 'public' || !identities.includes('token')))).toEqual([]);
});

it('what a person may do with a token has a command, or says why not', () => {
  for (const { name, meta } of all) {
    const { command } = meta;
    expect((typeof command === 'string' ? command : command.none).trim(), name).not.toBe('');
    // The command line has a token and nothing else.
    if (typeof command === 'string')
      expect(meta.identities === 'public' || meta.identities.includes('token'), name).toBe(true);
  }
});

it('these take away what cannot be had back, and these take time of a machine', () => {
  expect(names(({ destructive }) => destructive)).toEqual([
    ...['access.signOutEverywhere', 'access.removeApiKey', 'access.removeDevice', 'access.updatePerson'],
    ...['access.removeInvite', 'access.putPlan', 'profiles.remove', 'drivers.remove'],
    ...['credentials.remove', 'sandboxes.close', 'files.remove', 'raw access.revoke'],
  ]);
  expect(names(({ spends }) => spends)).toEqual([
    ...['profiles.test', 'jobs.create', 'jobs.retry', 'sandboxes.open', 'sandboxes.resume', 'sandboxes.execute'],
  ]);
});

it('a browser that saves a large artifact is sent to where it is kept', () => {
  expect(Object.keys(rawOperations.jobs.artifact.answers)).toEqual(['200', '302']);
});

it('what is refused the second time is not sent again', () => {
  const { signOut, signOutEverywhere, decideDevice } = contract.access;
  for (const operation of [signOut, signOutEverywhere, decideDevice]) expect(metaOf(operation).idempotent).toBe(false);
});

it('a client sends again what the contract says, and knows it from method and path', () => {
  for (const { name, method, path, meta } of all) {
    if (meta.identities.includes('worker')) continue;
    const asked = path.replace(/\{\+?\w+\}/g, 'j_7k2m9p4x');
    expect([isRepeatable(method, asked, false), isRepeatable(method, `${asked}?a=/b`, true)], name).toEqual(
      meta.idempotent === 'key' ? [false, true] : [meta.idempotent, meta.idempotent],
    );
  }
  expect(isRepeatable('POST', '/jobs/j_7k2m9p4x/cancel/more', true)).toBe(false);
  expect(isRepeatable('PUT', '/jobs/j_7k2m9p4x/cancel', true)).toBe(false);
});
