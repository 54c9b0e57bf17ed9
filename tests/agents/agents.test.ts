import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JobDetail } from '../../packages/contract/src/jobs.ts';
import { makeRepo, ServerProcess } from '../e2e/server-process.ts';
import { installAgent, othersCanRead } from './installed-agents.ts';
import { type ModelEndpoint, type Script, startModelEndpoint, tokensOf } from './model-endpoint.ts';

// Installs programs of 100 MB and more where they are not there yet.
vi.setConfig({ testTimeout: 400_000 });

const KEY = 'sk-test-4f9d2c71b8a05e63';
const SPEC = '# Greet the world\n\nMake hello.txt. The word of the day is zanzibar.\n';
const SCRIPT: Script = {
  key: KEY,
  turns: [
    { says: 'I write the file.', does: { kind: 'write', path: 'hello.txt', content: 'hello\nworld\n' } },
    { says: 'Now a command.', does: { kind: 'run', command: 'echo made > made.txt; echo visible' } },
    { says: 'This one fails.', does: { kind: 'run', command: 'echo no such thing; exit 3' } },
  ],
  closing: 'All done.\nTwo files are there.',
};
/** Before and after each deed. */
const ANSWERS = SCRIPT.turns.length + 1;
const sum = (of: (turn: number) => number) =>
  Array.from({ length: ANSWERS }, (_, turn) => of(turn)).reduce((a, b) => a + b);
const SPENT = {
  inputTokens: sum((turn) => tokensOf(turn).input),
  cachedInputTokens: sum((turn) => tokensOf(turn).cached),
  outputTokens: sum((turn) => tokensOf(turn).output),
};

interface Case {
  readonly name: string;
  readonly agent: string;
  readonly wire: string;
  readonly env: (url: string, key: string) => Record<string, string>;
  /** How its log shows the deeds of the script. */
  readonly steps: readonly string[];
  readonly events: RegExp;
  readonly usage: Readonly<Record<string, unknown>>;
}

const CASES: readonly Case[] = [
  {
    name: 'claude',
    agent: 'claude',
    wire: 'anthropic',
    env: (url, key) => ({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: key, CLAUDE_CODE_MAX_RETRIES: '1' }),
    steps: ['▸ Write hello.txt', '▸ Bash: echo made > made.txt; echo visible', '  ✗ Exit code 3', '    no such thing'],
    events: /"type":"tool_use"/,
    usage: { ...SPENT, turns: ANSWERS, costUsd: expect.any(Number), model: expect.stringContaining('claude') },
  },
  {
    name: 'codex',
    agent: 'codex',
    wire: 'openaiResponses',
    env: (url, key) => ({ OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key }),
    steps: ['▸ Add hello.txt', '▸ Shell: echo made > made.txt; echo visible', '  ✗ exit code 3', '    no such thing'],
    events: /"type":"command_execution"/,
    usage: SPENT,
  },
  {
    name: 'opencode',
    agent: 'opencode',
    wire: 'anthropic',
    env: (url, key) => ({
      ANTHROPIC_BASE_URL: `${url}/v1`,
      ANTHROPIC_API_KEY: key,
      OPENCODE_DISABLE_MODELS_FETCH: '1',
    }),
    steps: ['▸ write hello.txt', '▸ bash: echo made > made.txt; echo visible', '  ✗ exit code 3', '    no such thing'],
    events: /"type":"step_finish"/,
    usage: { ...SPENT, turns: ANSWERS, costUsd: expect.any(Number) },
  },
  {
    name: 'opencode with a model of one’s own (Chat Completions)',
    agent: 'opencode',
    wire: 'openaiChat',
    env: (url, key) => ({
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OWN_KEY: key,
      OPENCODE_CONFIG_CONTENT: JSON.stringify({
        model: 'own/one',
        provider: {
          own: {
            npm: '@ai-sdk/openai-compatible',
            options: { baseURL: `${url}/v1`, apiKey: '{env:OWN_KEY}' },
            models: { one: { name: 'One' } },
          },
        },
      }),
    }),
    steps: ['▸ write hello.txt', '▸ bash: echo made > made.txt; echo visible'],
    events: /"type":"step_finish"/,
    usage: { ...SPENT, turns: ANSWERS },
  },
  {
    name: 'gemini',
    agent: 'gemini',
    wire: 'google',
    env: (url, key) => ({ GOOGLE_GEMINI_BASE_URL: url, GEMINI_API_KEY: key }),
    steps: ['▸ write_file hello.txt', '▸ run_shell_command: echo made > made.txt; echo visible'],
    events: /"type":"tool_use"/,
    // It asks a small model first which one is to do the work.
    usage: {
      inputTokens: SPENT.inputTokens + tokensOf(0).input,
      outputTokens: SPENT.outputTokens + tokensOf(0).output,
      model: expect.stringContaining('gemini'),
    },
  },
];

let server: ServerProcess;
let model: ModelEndpoint;
beforeAll(async () => {
  model = await startModelEndpoint(SCRIPT);
  server = await (await ServerProcess.make()).start();
  await server.signIn();
}, 120_000);
afterAll(async () => {
  await model?.close();
  await server?.remove();
});

const made = new Set<string>();
/** A profile whose jobs find the agent. Null with the reason when it cannot be had. */
async function profileFor(agent: string): Promise<{ profile: string } | { missing: string }> {
  const installed = await installAgent(agent);
  if ('missing' in installed) return installed;
  if (!made.has(agent)) {
    const isolation = othersCanRead(installed.dir) ? 'auto' : 'none';
    const created = await server.hangar([
      ...['profiles', 'create', agent, '--driver', 'local'],
      ...['--set', `readable=${JSON.stringify([installed.dir])}`, '--set', `isolation=${isolation}`],
    ]);
    expect(created.stderr + created.stdout).toContain(agent);
    expect(created.exitCode, created.stderr).toBe(0);
    made.add(agent);
  }
  return { profile: agent };
}

const spec = () => {
  const file = join(server.dir, 'spec.md');
  writeFileSync(file, SPEC);
  return file;
};
/** Values come from the caller's environment: they never stand in a command line. */
const variables = (env: Record<string, string>) => Object.keys(env).flatMap((name) => ['--env', name]);

async function run(of: Case, profile: string, key: string) {
  const repo = await makeRepo(join(server.dir, `repo-${Math.random().toString(36).slice(2)}`));
  const env = of.env(model.url, key);
  const ran = await server.hangar(
    [
      ...['run', '--cloud', '--wait', '--json', '--agent', of.agent, '--on', profile, '--spec', spec()],
      ...variables(env),
    ],
    { cwd: repo, env, timeoutMs: 150_000 },
  );
  const { id } = JSON.parse(ran.stdout) as { id: string };
  const status = await server.hangar(['status', id, '--json']);
  const job = JSON.parse(status.stdout) as JobDetail;
  const log = (await server.hangar(['logs', id])).stdout;
  return { ran, repo, job, log };
}

describe('real agents against a scripted model', () => {
  it.for(CASES)('$name: edits files, is shown in steps, says what it used', async (of, { skip }) => {
    const profile = await profileFor(of.agent);
    if ('missing' in profile) return skip(profile.missing);
    const from = model.heard.length;
    const { repo, job, log } = await run(of, profile.profile, KEY);
    expect(`${job.state}: ${job.reason}\n${log}`).toMatch(/^succeeded/);

    const asked = model.heard.slice(from);
    expect(model.complaints).toEqual([]);
    expect(asked.some((ask) => ask.wire === of.wire && ask.text.includes('zanzibar'))).toBe(true);
    expect(asked.every((ask) => ask.wire === of.wire && ask.key === KEY)).toBe(true);
    expect(asked.at(-1)?.results.length).toBe(SCRIPT.turns.length);

    expect(job.diff, log).toMatchObject({ filesChanged: 2, insertions: 3, deletions: 0, partial: false });
    expect((await server.hangar(['pull', job.id], { cwd: repo })).exitCode).toBe(0);
    expect(readFileSync(join(repo, 'hello.txt'), 'utf8')).toBe('hello\nworld\n');
    expect(readFileSync(join(repo, 'made.txt'), 'utf8')).toBe('made\n');

    const lines = log.split('\n');
    expect(lines).toEqual(expect.arrayContaining([...of.steps, 'All done.', 'Two files are there.']));
    expect(lines).toEqual(expect.arrayContaining([expect.stringMatching(/^Used [\d,]+ tokens in/)]));
    expect(log).not.toContain('{"type"');
    expect(job.usage).toMatchObject(of.usage);
    expect((await server.hangar(['status', job.id])).stdout).toMatch(/Usage +[\d,]+ tokens in/);

    const raw = await server.hangar(['logs', job.id, '--raw']);
    expect(raw.exitCode, raw.stderr).toBe(0);
    expect(raw.stdout).toMatch(of.events);
    for (const line of raw.stdout.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('type');
    for (const text of [log, raw.stdout, JSON.stringify(job), server.output]) expect(text).not.toContain(KEY);
  });

  it.for(CASES.filter(({ agent }) => agent === 'claude' || agent === 'codex'))(
    '$name with a wrong key: says so',
    async (of, { skip }) => {
      const profile = await profileFor(of.agent);
      if ('missing' in profile) return skip(profile.missing);
      const { ran, job, log } = await run(of, profile.profile, 'sk-test-a-wrong-one-0000');
      expect(ran.exitCode).toBe(5);
      expect(`${job.state} ${job.failure?.code}\n${log}`).toMatch(/^failed agent_auth_failed/);
      expect(job.failure?.message).toContain("did not accept the agent's key");
      expect(job.evidence?.text).toMatch(/401|authenticat|unauthorized|invalid api key/i);
      expect(log).not.toContain('sk-test-a-wrong-one');
    },
  );
});
