import { isClosed, type SandboxState } from '@hangar/contract/state-words';
import { sandboxWords } from '@hangar/contract/words/sandbox';
import { type CommandData, defineCommand, type GlobalFlags, globalFlags, yes } from '../command.ts';
import { stateText } from '../terminal/tones.ts';
import { sandboxArgument } from './sandbox-id.ts';

interface Flags extends GlobalFlags {
  readonly noWait: boolean;
}

interface Turn extends Pick<CommandData<Flags, [string]>, 'brief' | 'examples' | 'about'> {
  readonly verb: 'pause' | 'resume';
  /** What it comes to. */
  readonly state: SandboxState;
  readonly doing: string;
  readonly noWait: string;
  readonly next: (id: string) => string;
}

/** A command that brings a sandbox to another state and waits until it is there. */
export const defineTurn = ({ verb, state, doing, noWait, next, ...text }: Turn) =>
  defineCommand<Flags, [string]>({
    ...text,
    json: 'The sandbox, as GET /drivers/sessions/{id} shows it.',
    parameters: {
      flags: { noWait: yes(noWait), ...globalFlags },
      positional: { kind: 'tuple', parameters: [{ ...sandboxArgument, brief: 'The sandbox' }] },
    },
    async run(flags, id) {
      const { terminal } = this;
      const api = await this.api(flags.server);
      const asked = await api.client.sandboxes[verb]({ id });
      const { failed, refuseClosed, waitUntil } = await import('./wait.ts');
      const sandbox = flags.noWait
        ? asked
        : await waitUntil(this, api, asked, {
            is: (seen) => seen.state === state || seen.failure !== null || isClosed(seen.state),
            doing,
            wayOut: `See how far it is: hangar sandbox show ${id}`,
          });
      refuseClosed(sandbox);
      if (sandbox.failure !== null) throw failed(sandbox.failure, id);
      if (flags.json) return terminal.json(sandbox);
      terminal.out(`${id} ${stateText(sandboxWords(sandbox), terminal.color)}`);
      terminal.next(next(id));
    },
  });
