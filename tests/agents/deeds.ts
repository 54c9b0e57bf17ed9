import type { Call, Tool } from './wire/wire.ts';

/** Something the model wants done, in no agent's words. */
export type Deed =
  | { readonly kind: 'write'; readonly path: string; readonly content: string }
  | { readonly kind: 'run'; readonly command: string };

type Hand = (deed: Deed) => Record<string, unknown> | string | null;

/** Tools of the agents that can do a deed, and what they want to be told. A tool that cannot do it answers null. */
const HANDS: Readonly<Record<string, Hand>> = {
  // Claude Code
  Write: (deed) => (deed.kind === 'write' ? { file_path: deed.path, content: deed.content } : null),
  Bash: (deed) => (deed.kind === 'run' ? { command: deed.command, description: 'As the script says' } : null),
  // OpenCode
  write: (deed) => (deed.kind === 'write' ? { filePath: deed.path, content: deed.content } : null),
  bash: (deed) => (deed.kind === 'run' ? { command: deed.command } : null),
  // Gemini CLI
  write_file: (deed) => (deed.kind === 'write' ? { file_path: deed.path, content: deed.content } : null),
  run_shell_command: (deed) =>
    deed.kind === 'run' ? { command: deed.command, description: 'As the script says' } : null,
  // Codex: a program that calls the tools proper.
  exec: (deed) =>
    deed.kind === 'write'
      ? `text(await tools.apply_patch(${JSON.stringify(patch(deed.path, deed.content))}));`
      : `const done = await tools.exec_command({ cmd: ${JSON.stringify(deed.command)} }); text(done.output);`,
  // OpenCode gives this one, in place of write, to models of OpenAI.
  apply_patch: (deed) => (deed.kind === 'write' ? { patchText: patch(deed.path, deed.content) } : null),
};

const patch = (path: string, content: string): string =>
  `*** Begin Patch\n*** Add File: ${path}\n${content
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `+${line}\n`)
    .join('')}*** End Patch`;

/** @throws Error when the agent offers no tool for it, or one whose schema does not allow what it would be told */
export function callFor(deed: Deed, tools: readonly Tool[]): Call {
  for (const { name, schema } of tools) {
    const input = HANDS[name]?.(deed) ?? null;
    if (input === null) continue;
    if ((schema === null) !== (typeof input === 'string')) throw new Error(`${name} takes another kind of input`);
    if (schema !== null && typeof input !== 'string') {
      const missing = (schema.required ?? []).filter((field) => !(field in input));
      const unknown = Object.keys(input).filter((field) => !(field in (schema.properties ?? {})));
      if (missing.length > 0 || unknown.length > 0)
        throw new Error(`${name}: it asks for ${missing.join(', ') || 'nothing more'}, knows no ${unknown.join(', ')}`);
    }
    return { tool: name, input };
  }
  throw new Error(`no tool for ${deed.kind} among ${tools.map(({ name }) => name).join(', ')}`);
}
