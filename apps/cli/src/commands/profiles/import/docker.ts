import { HangarError } from '@hangar/contract/errors';
import { defineCommand } from '../../../command.ts';
import { cannotBe, IMPORT_JSON, type ImportFlags, importFlags, makeImported } from './import-words.ts';
import { runProgram } from './run-program.ts';

interface Context {
  readonly Name?: unknown;
  readonly Endpoints?: { readonly docker?: { readonly Host?: unknown } };
  readonly TLSMaterial?: Readonly<Record<string, unknown>>;
}

export const command = defineCommand<ImportFlags, [string?]>({
  brief: 'Make a profile from a context of Docker (admin)',
  examples: [
    ['profiles import docker', 'the context in use'],
    ['profiles import docker lab --name lab-boxes', 'another one'],
  ],
  about: [
    'A context whose Engine is reached through ssh, a named pipe or with certificates is refused: a profile has no such setting.',
  ],
  json: IMPORT_JSON,
  parameters: {
    flags: importFlags,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'CONTEXT', brief: 'The one in use when left out', optional: true }],
    },
  },
  async run(flags, named) {
    if (named?.startsWith('-'))
      throw new HangarError('usage', { message: `${named} is not a context.`, wayOut: 'See: docker context ls' });
    const text = await runProgram(this, 'docker', ['context', 'inspect', ...(named === undefined ? [] : [named])]);
    const context = contextIn(text);
    const name = typeof context?.Name === 'string' ? context.Name : (named ?? 'docker');
    const host = context?.Endpoints?.docker?.Host;
    if (typeof host !== 'string' || host === '') throw cannotBe(name, 'it names no Engine', 'See: docker context ls');
    if (!/^(unix|tcp|https?):/.test(host))
      throw cannotBe(name, `its Engine is reached by ${host}`, 'Name one that listens on a socket or a port.');
    if (Object.keys(context?.TLSMaterial ?? {}).length > 0)
      throw cannotBe(name, 'its Engine wants certificates', 'Run the server where a socket leads to the Engine.');
    const from = name === 'default' ? 'docker' : name;
    await makeImported(this, flags, { driver: 'docker', from, settings: { host } });
  },
});

function contextIn(text: string): Context | undefined {
  try {
    return (JSON.parse(text) as readonly Context[])[0];
  } catch (cause) {
    throw new HangarError('usage', {
      message: 'docker context inspect answered no JSON.',
      wayOut: 'Use: hangar profiles create NAME --driver docker --set host=…',
      cause,
    });
  }
}
