import { execFile } from 'node:child_process';
import { access, constants, mkdir, stat, writeFile } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { type AgentOutput, type AgentPreset, agentPreset, HangarError, shellBlocks, specBody } from '@hangar/contract';
import type { Git } from '../git/git.ts';

/** One argument of a program may be 128 KiB long on Linux; a longer spec is pointed at instead. */
const MAX_ARGUMENT = 120 * 1024;

export interface Step {
  readonly file: string;
  readonly args: readonly string[];
  readonly stdin: string | null;
  /** What the log says before it runs. */
  readonly says: string;
}

export interface AgentPlan {
  readonly title: string;
  /** Run one after the other; the first that fails ends the job. */
  readonly steps: readonly Step[];
  readonly env: Readonly<Record<string, string>>;
  /** Files of its own that are not part of the diff, as gitignore patterns. */
  readonly keeps: readonly string[];
  /** The format of the events on its standard output; null for plain text. */
  readonly output: AgentOutput | null;
}

/**
 * Turns the agent of an order into commands. Nothing is run here.
 * @param env what the job and the machine set; `runDir` gets spec and scripts (outside the work tree); `home` gets settings of
 * the agent, null when it is a person's own
 * @throws HangarError spec_no_commands, agent_missing, agent_env_missing
 */
export async function planAgent(
  agent: string,
  spec: string,
  o: { env: Readonly<Record<string, string>>; runDir: string; home: string | null },
): Promise<AgentPlan> {
  const body = specBody(spec);
  const specFile = join(o.runDir, 'spec.md');
  await writeFile(specFile, body, { mode: 0o600 });
  const env: Record<string, string> = { HANGAR_SPEC_FILE: specFile };
  const preset = agentPreset(agent);
  if (!preset) {
    // The user's own command line: being run by a shell is what it is for.
    const step = { file: '/bin/sh', args: ['-c', agent], stdin: specFile, says: `Running: ${agent}` };
    return { title: 'command', steps: [step], env, keeps: [], output: null };
  }
  if (preset.specBy === 'blocks')
    return { title: preset.title, steps: await blockSteps(body, o.runDir), env, keeps: [], output: null };
  const program = preset.argv[0] ?? '';
  if (!(await findProgram(program, o.env.PATH ?? '')))
    throw new HangarError('agent_missing', {
      message: `${preset.title} is not installed where the job runs: there is no ${program}.`,
      wayOut: `Install it there (${preset.install}), or choose an image that has it.`,
    });
  if (o.home !== null)
    for (const names of preset.needsEnv)
      if (!names.some((name) => o.env[name]))
        throw new HangarError('agent_env_missing', {
          message: `${preset.title} needs ${names.join(' or ')}.`,
          wayOut: `Give it with: --env ${names[0]}=VALUE`,
        });
  for (const [name, from] of Object.entries(preset.envFrom ?? {})) {
    const value = o.env[from];
    if (o.env[name] === undefined && value !== undefined) env[name] = value;
  }
  const unset = Object.entries(preset.env).filter(([name]) => o.env[name] === undefined);
  const argv = [...preset.argv.slice(1), ...(await whatVariablesAsk(preset, { ...o.env, ...env }, o.home))];
  const text = Buffer.byteLength(body) > MAX_ARGUMENT ? `Read ${specFile} and do what it says.` : body;
  const args = argv.map((arg) => (arg === '{spec}' ? text : arg.replaceAll('{specFile}', specFile)));
  const shown = argv.map((arg) => (arg === '{spec}' ? '(the spec)' : arg.replaceAll('{specFile}', 'spec.md')));
  return {
    title: preset.title,
    steps: [
      {
        file: program,
        args,
        stdin: preset.specBy === 'stdin' ? specFile : null,
        says: `Running: ${[program, ...shown].join(' ')}`,
      },
    ],
    env: { ...Object.fromEntries(unset), ...env },
    keeps: preset.keeps ?? [],
    output: preset.output ?? null,
  };
}

/** Arguments and settings that a preset adds because of what the job sets. */
async function whatVariablesAsk(
  preset: AgentPreset,
  env: Readonly<Record<string, string>>,
  home: string | null,
): Promise<string[]> {
  const argv: string[] = [];
  for (const asked of preset.whenSet ?? []) {
    if (!asked.names.every((name) => env[name])) continue;
    for (const arg of asked.argv ?? [])
      argv.push(arg.replaceAll(/\{([A-Z_]+)\}/g, (_, name: string) => JSON.stringify(env[name] ?? '')));
    if (home === null) continue;
    for (const [path, text] of Object.entries(asked.home ?? {})) {
      await mkdir(dirname(join(home, path)), { recursive: true, mode: 0o700 });
      await writeFile(join(home, path), text, { mode: 0o600 });
    }
  }
  return argv;
}

async function blockSteps(body: string, runDir: string): Promise<Step[]> {
  const blocks = shellBlocks(body);
  if (blocks.length === 0) throw new HangarError('spec_no_commands');
  const steps: Step[] = [];
  for (const [n, block] of blocks.entries()) {
    const script = join(runDir, `block-${n + 1}.sh`);
    await writeFile(script, block, { mode: 0o600 });
    // -e: a block that goes on after a failed command would hide why the result is wrong.
    steps.push({
      file: '/bin/sh',
      args: ['-e', script],
      stdin: null,
      says: `Running sh block ${n + 1} of ${blocks.length}`,
    });
  }
  return steps;
}

async function findProgram(program: string, path: string): Promise<boolean> {
  const places = isAbsolute(program) ? [program] : path.split(delimiter).map((dir) => join(dir || '.', program));
  for (const place of places) {
    const there = await stat(place).catch(() => null);
    if (!there?.isFile()) continue;
    const runs = await access(place, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return true;
  }
  return false;
}

/** Makes git usable for the agent in its private home: a name to commit under. */
export async function writeHome(home: string): Promise<void> {
  const config = [
    '[user]',
    '\tname = Hangar',
    '\temail = hangar@localhost',
    '[init]',
    '\tdefaultBranch = main',
    '[safe]',
    '\tdirectory = *',
    '',
  ].join('\n');
  await writeFile(join(home, '.gitconfig'), config, { mode: 0o600 });
}

const ASK_GIT_MS = 10_000;

/** In a home of the machine that has no name to commit under, the repository of the agent gets one. */
export async function nameCommitter(
  tree: string,
  o: { readonly git: Git; readonly env: Readonly<Record<string, string>>; readonly signal: AbortSignal },
): Promise<void> {
  const asking = { cwd: tree, env: { ...o.env }, signal: o.signal, timeout: ASK_GIT_MS };
  const isNamed = await promisify(execFile)('git', ['config', 'user.email'], asking).then(
    () => true,
    () => false,
  );
  if (isNamed) return;
  await o.git.run(['config', 'user.name', 'Hangar'], { cwd: tree, signal: o.signal });
  await o.git.run(['config', 'user.email', 'hangar@localhost'], { cwd: tree, signal: o.signal });
}
