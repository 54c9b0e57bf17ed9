import type { Execution, Sandbox } from '@hangar/contract';
import { HangarError } from '@hangar/contract/errors';
import { isClosed, isEnded } from '@hangar/contract/state-words';
import { wayOutFor } from '@hangar/contract/words/job-ending';
import { limitWords } from '@hangar/contract/words/resources';
import { executionWords, SESSION_WORDS, SOON_WAY_OUT, sandboxWords } from '@hangar/contract/words/sandbox';
import { formatDuration, formatSeconds, relativeTime, spanMs } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { defineCommand, type GlobalFlags, globalFlags, yes } from '../../command.ts';
import { type MachineNow, machineRows } from '../../sandboxes/machine-words.ts';
import { OPEN_STATES, sandboxArgument } from '../../sandboxes/sandbox-id.ts';
import type { Api } from '../../server/api.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { stateText } from '../../terminal/tones.ts';
import { wrap } from '../../terminal/words.ts';

const EXECUTIONS = 20;

interface Flags extends GlobalFlags {
  readonly resources: boolean;
}

export const command = defineCommand<Flags, [string?]>({
  brief: 'A sandbox with its limits and what was executed in it',
  examples: [
    ['sandbox show', 'the newest of yours that is not closed'],
    ['sandbox show s_7k2m9p4x --json', 'one sandbox, for programs'],
    ['sandbox show --resources', 'with what its machine is and uses now'],
  ],
  about: [
    'Shows the state and why, how the connection to its machine is, what it may use, when it closes by itself, and the newest of what was executed in it.',
  ],
  json: 'The sandbox, as GET /drivers/sessions/{id} shows it, with "executions": [execution, …], the newest first; with --resources also "platform" and "load", null where it is closed.',
  parameters: {
    flags: { resources: yes('Ask its machine what it is and uses'), ...globalFlags },
    positional: {
      kind: 'tuple',
      parameters: [{ ...sandboxArgument, optional: true, brief: 'The sandbox; your newest open one when left out' }],
    },
  },
  async run(flags, given) {
    const { terminal } = this;
    const api = await this.api(flags.server);
    const id = given ?? (await newestOpen(this, api));
    const asking = flags.resources ? await import('../../sandboxes/machine.ts') : null;
    const [sandbox, { items: executions }, machine] = await Promise.all([
      api.client.sandboxes.get({ id }),
      api.client.sandboxes.executions({ id, limit: EXECUTIONS }),
      asking?.machineOf(api, id, this.signal) ?? null,
    ]);
    if (flags.json) return terminal.json({ ...sandbox, executions, ...machine });
    show(sandbox, executions, terminal, machine);
    if (isClosed(sandbox.state)) terminal.next('hangar sandbox open');
    else if (sandbox.state === 'paused') terminal.next(`hangar sandbox resume ${id}`, `hangar sandbox close ${id}`);
    else terminal.next(`hangar sandbox exec ${id} -- COMMAND`, `hangar sandbox close ${id}`);
  },
});

async function newestOpen({ terminal }: Cli, { client }: Api): Promise<string> {
  const [newest] = (await client.sandboxes.list({ state: [...OPEN_STATES], limit: 1 })).items;
  if (newest === undefined)
    throw new HangarError('sandbox_not_found', {
      message: 'You have no sandbox that is open.',
      wayOut: 'Open one: hangar sandbox open, or see those that are closed: hangar sandbox list',
    });
  terminal.note(`${newest.id}, your newest open sandbox.`);
  return newest.id;
}

function show(
  sandbox: Sandbox,
  executions: readonly Execution[],
  terminal: Terminal,
  machine: MachineNow | null,
): void {
  const { color, columns } = terminal;
  const row = (name: string, value: string) =>
    terminal.out(`${color.dim(name.padEnd(10))} ${wrap(value, columns, ' '.repeat(11)).trimStart()}`);
  const { failure, session } = sandbox;
  terminal.out(`${color.bold(sandbox.id)}${sandbox.name === null ? '' : `  ${sandbox.name}`}`);
  terminal.out(`${stateText(sandboxWords(sandbox), color)} since ${relativeTime(sandbox.stateSince)}`);
  if (failure === null || !isClosed(sandbox.state)) row('Why', sandbox.reason);
  if (failure !== null) {
    row('Failure', `${failure.message} [${failure.code}]`);
    row('What to do', wayOutFor(failure.wayOut, sandbox.id));
  }
  if (sandbox.closesSoon !== null) row('What to do', wayOutFor(SOON_WAY_OUT[sandbox.closesSoon], sandbox.id));
  const since = session.since === null ? '' : ` since ${relativeTime(session.since)}`;
  const detail = session.detail === null || session.detail === sandbox.reason ? '' : `: ${session.detail}`;
  row('Connection', `${SESSION_WORDS[session.state].word}${since}${detail}`);
  row('On', `${sandbox.profile} (${sandbox.driver}${sandbox.image === null ? '' : `, ${sandbox.image}`})`);
  const { job, tree } = sandbox;
  if (job !== null)
    row('Files of', tree === null ? job : `${job}${tree.partial ? ', as they were saved last' : ''}, in ${tree.path}`);
  row('Limits', limitWords(sandbox.resources) ?? 'those of its profile');
  if (sandbox.envNames.length > 0) row('Variables', sandbox.envNames.join(', '));
  for (const [name, value] of Object.entries(sandbox.metadata)) row(name, value);
  if (!isClosed(sandbox.state)) {
    const limits = `unused for ${formatSeconds(sandbox.idleSeconds)}, or after ${formatSeconds(sandbox.lifetimeSeconds)}`;
    row('Closes', sandbox.closesAt === null ? limits : `${relativeTime(sandbox.closesAt)} (${limits})`);
    row('Used', relativeTime(sandbox.lastActivity));
  }
  for (const [name, value] of machine === null ? [] : machineRows(machine)) row(name, value);
  if (executions.length > 0) terminal.out(color.dim('Executed'));
  terminal.rows(
    executions.map((execution) => [
      `  ${execution.id}`,
      stateText(executionWords(execution), color),
      endWords(execution),
      execution.startedAt === null
        ? ''
        : formatDuration(spanMs(execution.startedAt, isEnded(execution.state) ? execution.finishedAt : null)),
      relativeTime(execution.createdAt),
      execution.title,
    ]),
  );
}

const endWords = ({ exitCode, signal }: Execution): string =>
  signal ?? (exitCode === null || exitCode === 0 ? '' : `exit code ${exitCode}`);
