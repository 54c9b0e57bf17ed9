import { ERROR_KINDS } from '@hangar/contract/errors';
import { defineCommand, globalFlags } from '../../command.ts';
import { table } from '../../terminal/words.ts';

const CODES: readonly (readonly [number, string])[] = [
  [0, 'Done.'],
  [ERROR_KINDS.internal.exitCode, 'A bug, here or on the server.'],
  [ERROR_KINDS.invalid.exitCode, 'What was asked is wrong: options, ids, state, conflicts, limits.'],
  [ERROR_KINDS.unauthenticated.exitCode, 'Not signed in, or not allowed.'],
  [ERROR_KINDS.unavailable.exitCode, 'A server or backend is unavailable.'],
  [5, 'The job did not succeed (run --wait, logs --exit-code, a run on this machine).'],
  [124, 'The time of --timeout was over (sandbox exec).'],
  [130, 'Ctrl-C: stopped waiting. A job in the cloud goes on; what sandbox exec runs is ended.'],
];

export const command = defineCommand({
  brief: 'What each exit code means',
  examples: [
    ['help exit-codes', 'this list'],
    ['run --cloud --wait --spec fix.md || echo "ended with $?"', 'to use them'],
  ],
  json: '{"items": [{"code", "meaning"}]}',
  parameters: { flags: globalFlags },
  async run(flags) {
    if (flags.json) return this.terminal.json({ items: CODES.map(([code, meaning]) => ({ code, meaning })) });
    for (const line of table(
      CODES.map(([code, meaning]) => [String(code), meaning]),
      200,
    ))
      this.terminal.out(line);
    this.terminal.out();
    this.terminal.out('Of sandbox exec and attach it is that of the command, 128 and more for a signal;');
    this.terminal.out('where one above is meant, stderr says so.');
    this.terminal.out('With --json an error is printed on stdout as');
    this.terminal.out('{"error": {"code", "kind", "message", "wayOut", "exitCode", "details"}}');
  },
});
