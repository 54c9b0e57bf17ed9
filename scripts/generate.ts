import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { helpOfCommand } from '../apps/cli/src/help.ts';
import { ROOT as COMMANDS, type Group, isGroup } from '../apps/cli/src/routes.ts';
import { Settings } from '../apps/server/src/config.ts';
import { AGENTS } from '../packages/contract/src/agents.ts';
import { ERROR_KINDS, ERRORS, type ErrorKind } from '../packages/contract/src/errors.ts';
import {
  contract,
  metaOf,
  type OperationMeta,
  type RawOperation,
  rawOperations,
} from '../packages/contract/src/index.ts';
import { driverTable } from './driver-table.ts';
import { ROOT } from './run.ts';

interface Generated {
  readonly path: string;
  readonly text: string;
}

async function generate(): Promise<Generated[]> {
  return [
    { path: '.env.example', text: environmentExample() },
    { path: 'docs/agents.md', text: agentPage() },
    { path: 'docs/errors.md', text: errorPage() },
    { path: 'docs/cli.md', text: await commandPage() },
    { path: 'docs/drivers.md', text: await within('docs/drivers.md', 'capabilities', await driverTable()) },
    { path: 'docs/openapi.json', text: await openApi() },
    { path: 'packages/contract/src/operations.ts', text: operations() },
  ];
}

/** Every setting of the server with its description; a default stands as its value, commented out. */
function environmentExample(): string {
  const settings = Object.entries(Settings.shape).map(([name, schema]) => {
    const standard = Settings.parse({})[name as keyof typeof Settings.shape];
    return `# ${schema.description ?? ''}\n#${name}=${standard ?? ''}\n`;
  });
  return [
    '# The settings of the server, with their defaults. Generated from apps/server/src/config.ts by make generate.\n',
    ...settings,
  ].join('\n');
}

function agentPage(): string {
  const rows = AGENTS.map(({ name, title, argv, needsEnv, output, proved, install }) =>
    [
      `\`${name}\``,
      title,
      argv.length === 0 ? '–' : `\`${cell(argv.join(' '))}\``,
      needsEnv.map((any) => any.map((variable) => `\`${variable}\``).join(' or ')).join(', ') || '–',
      output === undefined ? 'text' : 'events',
      proved === null ? (name === 'shell' ? 'yes' : 'no') : `${proved.npm} ${proved.version}`,
      cell(install),
    ].join(' | '),
  );
  return `# Agents

Presets a job can name; any other command works too: \`--agent "make fix"\`. Generated from \`packages/contract/src/agents.ts\`
by \`make generate\`.

| agent | title | runs | needs one of | prints | proved | how to get it |
|---|---|---|---|---|---|---|
${rows.map((row) => `| ${row} |`).join('\n')}

**Proved** names the release that jobs of \`make test\` run end to end (\`tests/agents\`): the real program, installed from the
npm registry, against a scripted model on loopback that speaks its wire format and answers with calls of the program's own
tools. What it wrote is the diff of the job; nothing of its own is in it. A preset that is not proved was made after the
documentation of its program.

**Events.** An agent that prints events runs with them on. The worker turns each into lines people read, \`▸ Edit src/a.ts\`,
\`▸ Bash: npm test\`, and after a tool that failed \`✗\` with the first lines of what it said; what is no event it knows goes to
the log as it is. All events are kept, masked like the log, as the artifact \`agent-events.jsonl\` when the job ends:
\`hangar logs ID --raw\`, or the details of the job in the web UI. Tokens and cost are the agent's own count; Codex and
Gemini CLI name no cost.

**A model of one's own.** A base URL in the environment of the job is all an agent needs besides its key:

| agent | variables |
|---|---|
| \`claude\` | \`ANTHROPIC_BASE_URL\` (without \`/v1\`) |
| \`codex\` | \`OPENAI_BASE_URL\` (with \`/v1\`, Responses API). Codex itself does not read it: the preset makes a provider of it |
| \`opencode\` | \`ANTHROPIC_BASE_URL\` or \`OPENAI_BASE_URL\` (with \`/v1\`); for Chat Completions \`OPENCODE_CONFIG_CONTENT\` with a provider of \`@ai-sdk/openai-compatible\` |
| \`gemini\` | \`GOOGLE_GEMINI_BASE_URL\` with \`GEMINI_API_KEY\`. The preset adds the setting without which it refuses to run headless; in a run on your own machine your settings count: \`security.auth.selectedType\` has to be \`gemini-api-key\` |
| \`aider\` | \`OPENAI_BASE_URL\`, given on as \`OPENAI_API_BASE\` |
`;
}

function errorPage(): string {
  const rows = Object.entries(ERRORS).map(([code, entry]) => {
    const kind: ErrorKind = entry.kind;
    const status = 'status' in entry ? entry.status : ERROR_KINDS[kind].status;
    return `| \`${code}\` | ${status} | ${ERROR_KINDS[kind].exitCode} | ${cell(entry.message)} | ${cell(entry.wayOut)} |`;
  });
  return `# Errors

Every error has a code, what happened, and a way out. Programs match the code, never the text. The message may be more
exact than the one here. Generated from \`packages/contract/src/error-table.ts\` by \`make generate\`.

| code | HTTP | exit code | what happened | what to do |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

/** A page by hand with one part of it anew, between its two markers. */
async function within(file: string, name: string, text: string): Promise<string> {
  const page = await readFile(path.join(ROOT, file), 'utf8');
  const [begin, end] = [`<!-- ${name}: generated by make generate -->\n`, `\n<!-- end of ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} has no markers of ${name}.`);
  return `${page.slice(0, from + begin.length)}${text}${page.slice(to)}`;
}

/** The help of every command, as `--help` prints it. */
async function commandPage(): Promise<string> {
  const plain = (text: string) => text;
  const color = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, blue: plain };
  const page = async (group: Group, above: readonly string[]): Promise<string[]> => {
    const parts: string[] = [];
    for (const [word, node] of Object.entries(group.routes)) {
      const words = [...above, word];
      if (isGroup(node)) parts.push(...(await page(node, words)));
      else {
        const help = helpOfCommand(words, await node.load(), { color, columns: 100 });
        const own = help.split('\nOptions of every command')[0];
        parts.push(`## hangar ${words.join(' ')}\n\n\`\`\`\n${own?.trimEnd()}\n\`\`\`\n`);
      }
    }
    return parts;
  };
  return `# Commands

What \`hangar COMMAND --help\` says, but for the options every command has. Generated by \`make generate\`.

${(await page(COMMANDS, [])).join('\n')}`;
}

/** What command line and web UI need to know of an operation without its schemas: method, path, and what was decided of it. */
function operations(): string {
  const declared = Object.entries(contract).flatMap(([group, procedures]) =>
    Object.entries(procedures).map(([name, procedure]) => {
      const { method, path: at, inputStructure, outputStructure } = procedure['~orpc'].route;
      if (method === undefined || at === undefined || inputStructure === 'detailed' || outputStructure === 'detailed')
        throw new Error(`${group}.${name} needs more than a method and a path.`);
      return { group, name, route: `${method} ${at}`, meta: metaOf(procedure) };
    }),
  );
  const raw = Object.entries(rawOperations).flatMap(([group, all]) =>
    Object.entries<RawOperation>(all)
      .filter(([, { meta }]) => !meta.identities.includes('worker'))
      .map(([name, { method, path: at, meta }]) => ({ group, name, route: `${method} ${at}`, meta })),
  );
  const table = (all: typeof declared) =>
    [...Map.groupBy(all, ({ group }) => group)]
      .map(
        ([group, of]) => `  ${group}: {\n${of.map(({ name, route }) => `    ${name}: '${route}',\n`).join('')}  },\n`,
      )
      .join('');
  const list = (of: (meta: OperationMeta, route: string) => string | undefined) =>
    [...declared, ...raw]
      .map(({ route, meta }) => [`  '${route}':`, of(meta, route)])
      .filter(([, value]) => value !== undefined)
      .map(([key = '', value = '']) => `${key}${key.length + value.length > 118 ? '\n    ' : ' '}${value},\n`)
      .join('');
  return `import type { Contract } from './index.ts';

/** Where the operations of the contract are asked. Generated from packages/contract/src by make generate. */
export const OPERATIONS = {
${table(declared)}} as const satisfies { [Group in keyof Contract]: Record<keyof Contract[Group], string> };

/** The same of those where bytes matter. */
export const RAW_OPERATIONS = {
${table(raw)}} as const;

/** What may be sent again when an answer got lost, besides every GET. key: with the header Idempotency-Key. */
export const IDEMPOTENT: Readonly<Record<string, true | 'key'>> = {
${list(({ idempotent }, route) => (!idempotent || route.startsWith('GET ') ? undefined : idempotent === 'key' ? "'key'" : 'true'))}};

/** The same on the command line, after its name; see commandWords. */
export const COMMANDS = {
${list(({ command }) => (typeof command === 'string' ? `'${command}'` : undefined))}} as const;
`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

async function openApi(): Promise<string> {
  const { openApiDocument } = await import('../apps/server/src/platform/http/openapi.ts');
  return `${JSON.stringify(await openApiDocument('http://127.0.0.1:7070'), null, 2)}\n`;
}

/** Whether the generated files say what the sources say. */
export async function generatedFiles(): Promise<{ passed: boolean; output: string }> {
  const files = await generate();
  const there = await Promise.all(files.map((file) => readFile(path.join(ROOT, file.path), 'utf8').catch(() => '')));
  const stale = files.filter((file, index) => file.text !== there[index]);
  return {
    passed: stale.length === 0,
    output:
      stale.length === 0
        ? ''
        : `Not what the sources say: ${stale.map((file) => file.path).join(', ')}. Run: make generate`,
  };
}

if (import.meta.main) {
  for (const file of await generate()) {
    await mkdir(path.dirname(path.join(ROOT, file.path)), { recursive: true });
    await writeFile(path.join(ROOT, file.path), file.text);
  }
}
