import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_EVENTS, type WorkOrder } from '@hangar/contract';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { runWorkOrder } from '../run.ts';
import { makeOrder, makeRepo, tempFolders } from '../testing/fixtures.ts';
import { MemoryChannel } from '../testing/memory-channel.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

const temp = tempFolders();
afterAll(() => temp.clean());

const RECORDED = join(import.meta.dirname, 'output/recorded');

/** Runs an order with a stand-in for the agent's program: a shell script of this name. */
async function runWith(name: string, script: string, over: Partial<WorkOrder>, home?: string) {
  const base = temp.make();
  const program = join(base, name);
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  const repo = makeRepo(join(base, 'repo'), { 'a.txt': 'one\n' });
  const channel = new MemoryChannel();
  const finish = await runWorkOrder(makeOrder({ agent: name, spec: 'Do it', ...over }), channel, {
    dir: join(base, 'work'),
    signal: new AbortController().signal,
    env: { PATH: `${base}:/usr/bin:/bin` },
    source: { kind: 'checkout', dir: repo.dir, commit: null, patchFile: null },
    ...(home === undefined ? {} : { home }),
  });
  return { finish, channel, dir: join(base, 'work') };
}
const rawOf = (channel: MemoryChannel) => channel.uploads.find(({ name }) => name === AGENT_EVENTS)?.bytes.toString();

describe('an agent that prints events', () => {
  const key = { CODEX_API_KEY: 'sk-codex-12345' };
  const printed = (name: string) => `cat ${join(RECORDED, `${name}.jsonl`)}`;

  test('steps in the log, the events as an artifact, usage on the way and at the end', async () => {
    const { finish, channel } = await runWith(
      'codex',
      `${printed('codex')}; echo hi > hello.txt; echo $CODEX_API_KEY`,
      {
        env: key,
      },
    );
    expect(finish).toMatchObject({ outcome: 'succeeded', usage: { inputTokens: 4600, outputTokens: 80 } });
    expect(channel.reports.find(({ usage }) => usage)?.usage).toEqual(finish.usage);
    expect(channel.texts('stdout')).toContain('▸ Shell: echo made by a command > made.txt; echo visible');
    expect(channel.texts('stdout').at(-1)).toBe('***');
    expect(rawOf(channel)).toBe(`${readFileSync(join(RECORDED, 'codex.jsonl'), 'utf8')}***\n`);
    expect(channel.texts('system')).toContain(`Artifacts: ${AGENT_EVENTS}`);
    expect(finish.diff).toMatchObject({ filesChanged: 1 });
  });

  test('an artifact of the agent does not take the place of its events', async () => {
    const { channel } = await runWith(
      'codex',
      `${printed('codex')}; echo mine > "$HANGAR_ARTIFACTS/${AGENT_EVENTS}"; echo other > "$HANGAR_ARTIFACTS/other"`,
      { env: key },
    );
    expect(rawOf(channel)).toBe(readFileSync(join(RECORDED, 'codex.jsonl'), 'utf8'));
    const files = channel.uploads.filter(({ kind }) => kind === 'file').map(({ name }) => name);
    expect(files.sort()).toEqual([`2_${AGENT_EVENTS}`, AGENT_EVENTS, 'other']);
  });

  test('events beyond the room for artifacts are left out, with a word; the job does not fail for it', async () => {
    const { finish, channel } = await runWith('codex', `${printed('codex')}; echo hi > hello.txt`, {
      env: key,
      limits: { logBytes: 1e6, artifactBytes: 1000 },
    });
    expect(finish.outcome).toBe('succeeded');
    expect(rawOf(channel)).toBeUndefined();
    expect(channel.texts('system').join('\n')).toContain(`Artifact left out: ${AGENT_EVENTS}`);
  });

  test('a key the model refuses is the reason, when the agent fails', async () => {
    const refused = await runWith('codex', `${printed('codex-refused')}; exit 1`, { env: key });
    expect(refused.finish).toMatchObject({ outcome: 'failed', failure: { code: 'agent_auth_failed' } });
    expect(refused.finish.reason).toMatch(/did not accept the agent's key. The agent ended with exit code 1/);
    const other = await runWith('codex', `${printed('codex')}; exit 1`, { env: key });
    expect(other.finish.failure?.code).toBe('agent_failed');
    const recovered = await runWith('codex', `${printed('codex-refused')}; exit 0`, { env: key });
    expect(recovered.finish.outcome).toBe('succeeded');
  });

  test('exit codes of its own above 128 are not taken for signals', async () => {
    const { finish } = await runWith('gemini', 'exit 145', { env: { GEMINI_API_KEY: 'a-key-of-google' } });
    expect(finish.reason).toBe('The agent ended with exit code 145.');
  });
});

describe('what variables of the job add', () => {
  const args = 'printf "arg %s\\n" "$@"';

  test('codex: OPENAI_BASE_URL becomes a provider of its own, quoted', async () => {
    const env = { OPENAI_API_KEY: 'sk-openai-99', OPENAI_BASE_URL: 'http://host/v1?a="b"' };
    const { channel } = await runWith('codex', `${args} | sed 's/host/HOST/'`, { env });
    expect(channel.texts('stdout')).toContain(
      'arg model_providers.gateway={name="Gateway",base_url="http://HOST/v1?a=\\"b\\"",env_key="CODEX_API_KEY",wire_api="responses"}',
    );
    const plain = await runWith('codex', args, { env: { OPENAI_API_KEY: 'sk-openai-99' } });
    expect(plain.channel.texts('stdout').join('\n')).not.toContain('model_provider');
  });

  test('gemini: with a base URL its private home chooses the key; a home of a person stays as it is', async () => {
    const env = { GEMINI_API_KEY: 'a-key-of-google', GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:1' };
    const settings = (home: string) => join(home, '.gemini/settings.json');
    const { dir } = await runWith('gemini', 'true', { env });
    expect(readFileSync(settings(join(dir, 'home')), 'utf8')).toContain('gemini-api-key');
    const plain = await runWith('gemini', 'true', { env: { GEMINI_API_KEY: 'a-key-of-google' } });
    expect(existsSync(settings(join(plain.dir, 'home')))).toBe(false);
    const mine = temp.make();
    await runWith('gemini', 'true', { env }, mine);
    expect(existsSync(settings(mine))).toBe(false);
  });
});
