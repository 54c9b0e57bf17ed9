import { SANDBOX_STATES, type SandboxState } from '@hangar/contract/state-words';
import { sandboxWords } from '@hangar/contract/words/sandbox';
import { relativeTime } from '@hangar/contract/words/time';
import type { Cli } from '../../cli.ts';
import { type GlobalFlags, globalFlags, text, yes } from '../../command.ts';
import { defineList } from '../../list-command.ts';
import { commandLine } from '../../terminal/command-line.ts';
import { wholeNumber } from '../../terminal/numbers.ts';
import { stateText } from '../../terminal/tones.ts';
import { cut } from '../../terminal/words.ts';

interface Flags extends GlobalFlags {
  readonly state?: readonly SandboxState[] | undefined;
  readonly all: boolean;
  readonly on?: string | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export const command = defineList({
  brief: 'List sandboxes',
  examples: [
    ['sandbox list', 'your sandboxes, newest first'],
    ['sandbox list --state running --all', 'what runs, of everybody (admin)'],
  ],
  json: '{"items": [sandbox, …], "nextCursor"}: as GET /drivers/sessions answers; give nextCursor as --cursor for the next page.',
  parameters: {
    flags: {
      state: {
        kind: 'enum',
        values: SANDBOX_STATES,
        optional: true,
        variadic: true,
        brief: 'Only in this state',
        placeholder: 'STATE',
      },
      all: yes('Sandboxes of everybody (admin)'),
      on: text('Only on this profile', 'PROFILE'),
      limit: {
        kind: 'parsed',
        parse: wholeNumber,
        optional: true,
        brief: 'Sandboxes a page, at most 200; 20 when left out',
        placeholder: 'N',
      },
      cursor: text('Go on where the page before ended', 'CURSOR'),
      ...globalFlags,
    },
    aliases: { n: 'limit' },
  },
  async ask(cli: Cli, flags: Flags) {
    if (flags.limit !== undefined) (await import('../../terminal/check-page.ts')).checkPage('sandbox list', flags);
    return (await cli.api(flags.server)).client.sandboxes.list({
      mine: !flags.all,
      limit: flags.limit ?? 20,
      ...(flags.state === undefined ? {} : { state: [...flags.state] }),
      ...(flags.on === undefined ? {} : { profile: flags.on }),
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
    });
  },
  empty: ({ nextCursor }) => (nextCursor === null ? 'No sandboxes.' : 'No sandboxes so far.'),
  row: (sandbox, { terminal }, flags) => [
    sandbox.id,
    stateText(sandboxWords(sandbox), terminal.color),
    relativeTime(sandbox.createdAt),
    cut(sandbox.profile, 20),
    ...(flags.all ? [cut(sandbox.owner.name, 14)] : []),
    sandbox.executionsRunning > 0 ? `${sandbox.executionsRunning} running` : '',
    sandbox.closesAt === null ? '' : `closes ${relativeTime(sandbox.closesAt)}`,
    sandbox.name ?? '',
  ],
  next({ items, nextCursor: cursor }, { state, all, on, limit, server }) {
    const more = cursor === null ? [] : [commandLine('hangar sandbox list', { state, all, on, limit, server, cursor })];
    const [newest] = items;
    return newest === undefined ? [...more, 'hangar sandbox open'] : [...more, `hangar sandbox show ${newest.id}`];
  },
});
