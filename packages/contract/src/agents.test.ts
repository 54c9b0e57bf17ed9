import { describe, expect, test } from 'vitest';
import { AGENTS, agentPreset } from './agents.ts';
import { EnvName } from './jobs.ts';

describe('agent presets', () => {
  test('the ones the product names, each once', () => {
    expect(AGENTS.map(({ name }) => name)).toEqual(['shell', 'claude', 'codex', 'opencode', 'gemini', 'aider']);
    expect(agentPreset('claude')?.title).toBe('Claude Code');
    expect(agentPreset('nobody')).toBeUndefined();
  });

  test.each(AGENTS)('$name: the spec reaches it, and its variables can be given to a job', (agent) => {
    const placeholders = agent.argv.filter((arg) => /\{(spec|specFile)\}/.test(arg));
    expect(placeholders.length).toBe(agent.specBy === 'argument' || agent.specBy === 'file' ? 1 : 0);
    expect(agent.argv.length > 0).toBe(agent.specBy !== 'blocks');
    for (const name of [...agent.needsEnv.flat(), ...Object.keys(agent.env), ...Object.keys(agent.envFrom ?? {})])
      expect(EnvName.safeParse(name).success, name).toBe(true);
    expect(agent.homepage).toMatch(/^https:\/\//);
  });
});
