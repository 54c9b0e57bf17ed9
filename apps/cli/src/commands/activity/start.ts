import { defineCommand, type GlobalFlags, globalFlags, text } from '../../command.ts';

interface Flags extends GlobalFlags {
  readonly step?: readonly string[] | undefined;
  readonly about?: string | undefined;
  readonly link?: string | undefined;
}

export const command = defineCommand<Flags, [string]>({
  brief: 'Say that something begins',
  examples: [
    ["activity start 'Deploy the site' --step build --step push", 'prints the id for what follows'],
    ["activity start 'Nightly backup' --json", 'for programs'],
  ],
  about: ['Everybody who looks at the server sees it live, until complete or fail ends it.'],
  json: 'The activity: {"id", "operation", "status", "steps", …}',
  parameters: {
    flags: {
      step: {
        kind: 'parsed',
        parse: String,
        optional: true,
        variadic: true,
        brief: 'A step, in order',
        placeholder: 'NAME',
      },
      about: text('What it belongs to, for example the id of a job', 'ID'),
      link: text('Where to look, a path on this server', 'PATH'),
      ...globalFlags,
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, placeholder: 'OPERATION', brief: 'What is being done' }],
    },
  },
  async run(flags, operation) {
    const { client } = await this.api(flags.server);
    const activity = await client.activity.start({
      operation,
      steps: [...(flags.step ?? [])],
      ...(flags.about === undefined ? {} : { correlationId: flags.about }),
      ...(flags.link === undefined ? {} : { link: flags.link }),
    });
    if (flags.json) return this.terminal.json(activity);
    this.terminal.out(activity.id);
    const [first] = activity.steps;
    this.terminal.next(
      first === undefined
        ? `hangar activity complete ${activity.id}`
        : `hangar activity step ${activity.id} '${first.name}' running`,
    );
  },
});
