import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Job, parseSpec } from '@hangar/contract';
import { afterAll, describe, expect, it } from 'vitest';
import { copiesOf } from '../send/copies.ts';
import { compareFiles, type FileChange, signaturesOf } from './compare.ts';

const SHELL = parseSpec('# Add search, and a page!\n\n```sh\ntrue\n```\n');
const PROSE = parseSpec('# Add search\n\nPlease.\n');

describe('copiesOf', () => {
  const agents = (wish: Parameters<typeof copiesOf>[0], spec = SHELL) =>
    copiesOf(wish, spec).copies.map(({ agent }) => agent);

  it('sends each agent so many times', () => {
    expect(agents({ agents: ['claude,codex'], times: 2 })).toEqual(['claude', 'claude', 'codex', 'codex']);
    expect(agents({ times: 3 })).toEqual([undefined, undefined, undefined]);
    expect(agents({})).toEqual([undefined]);
  });

  it('takes a list of names apart and leaves commands whole', () => {
    expect(agents({ agents: ['claude, shell', 'sh -c "a,b"', 'claude'] })).toEqual(['claude', 'shell', 'sh -c "a,b"']);
  });

  it('makes one group of them, with the same name and keys for the same key', () => {
    const made = copiesOf({ times: 2, idempotencyKey: 'k' }, SHELL);
    expect(made.group).toMatch(/^add-search-and-a-page-[0-9a-z]{4}$/);
    expect(made).toEqual(copiesOf({ times: 2, idempotencyKey: 'k' }, SHELL));
    expect(new Set(made.copies.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
    expect(copiesOf({ times: 2 }, SHELL).group).not.toBe(copiesOf({ times: 2 }, SHELL).group);
    expect(copiesOf({ times: 2, group: 'mine' }, SHELL).group).toBe('mine');
    expect(copiesOf({ times: 1 }, parseSpec('# 検索\n\n```sh\ntrue\n```\n')).group).toMatch(/^jobs-/);
    expect(copiesOf({}, SHELL)).toMatchObject({ group: undefined, isGroup: false });
  });

  it.each([
    ['both --agent and --agents', { agent: 'shell', agents: ['claude'] }, SHELL, 'usage'],
    ['no times', { times: 0 }, SHELL, 'usage'],
    ['too many', { agents: ['claude,codex,shell'], times: 7 }, SHELL, 'usage'],
    ['no agents', { agents: [','] }, SHELL, 'usage'],
    ['a name that cannot be a group', { times: 2, group: 'Two Words' }, SHELL, 'usage'],
    ['an agent nobody knows', { agents: ['claude,cluade'] }, PROSE, 'agent_unknown'],
    ['shell without commands', { agents: ['claude,shell'] }, PROSE, 'spec_no_commands'],
    ['shell without commands, by default', { times: 2 }, PROSE, 'spec_no_commands'],
  ])('refuses %s', (_name, wish, spec, code) => {
    expect(() => copiesOf(wish, spec)).toThrow(expect.objectContaining({ code }));
  });
});

describe('compareFiles', () => {
  const change = (path: string, signature: string): FileChange => ({ path, insertions: 1, deletions: 0, signature });
  const job = (id: string, files: FileChange[] | null) => ({ job: { id } as Job, files });
  const verdicts = (...jobs: ReturnType<typeof job>[]) =>
    Object.fromEntries(compareFiles(jobs).map(({ path, verdict }) => [path, verdict]));

  it('tells where they agree', () => {
    expect(
      verdicts(
        job('j_1', [change('both', 'x'), change('ways', 'x'), change('one', 'x')]),
        job('j_2', [change('both', 'x'), change('ways', 'y')]),
        job('j_3', null),
      ),
    ).toEqual({ both: 'same', one: 'alone', ways: 'differs' });
  });

  it('counts a job that changed nothing, and not one whose diff nobody knows', () => {
    expect(verdicts(job('j_1', [change('a', 'x')]), job('j_2', [change('a', 'x')]), job('j_3', []))).toEqual({
      a: 'differs',
    });
    expect(verdicts(job('j_1', [change('a', 'x')]), job('j_2', null))).toEqual({ a: 'same' });
    expect(verdicts(job('j_1', [change('a', 'x')]), job('j_2', []))).toEqual({ a: 'alone' });
  });

  it('gives the same letter to the same way', () => {
    const [file] = compareFiles(['x', 'y', 'x'].map((way, at) => job(`j_${at}`, [change('a', way)])));
    expect(file?.changes.map(({ version }) => version)).toEqual(['a', 'b', 'a']);
  });
});

describe('signaturesOf', () => {
  const dir = mkdtempSync(join(tmpdir(), 'hangar-compare-test-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const file = (text: string) => {
    writeFileSync(join(dir, 'diff'), text);
    return signaturesOf(join(dir, 'diff'));
  };
  const section = (name: string, body: string, blob = 'a'.repeat(40)) =>
    `diff --git a/${name} b/${name}\nindex ${'0'.repeat(40)}..${blob} 100644\n--- a/${name}\n+++ b/${name}\n@@ -1 +1 @@\n${body}`;

  it('takes a diff apart by file, whatever the lines of its files look like', async () => {
    const both = await file(
      `${section('a', '-x\n+diff --git a/q b/q\n')}${section('b', `+${'y'.repeat(3_000_000)}\n`)}`,
    );
    expect(both).toHaveLength(2);
    expect(await file(section('a', '-x\n+diff --git a/q b/q\n', 'b'.repeat(40)))).toEqual(both.slice(0, 1));
    expect(await file(section('a', '-x\r\n+diff --git a/q b/q\n'))).not.toEqual(both.slice(0, 1));
    expect(await file('')).toEqual([]);
  });
});
