import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Settings } from '../apps/server/src/config.ts';
import { ERROR_KINDS, ERRORS, type ErrorKind } from '../packages/contract/src/errors.ts';
import { ROOT } from './run.ts';

interface Generated {
  readonly path: string;
  readonly text: string;
}

async function generate(): Promise<Generated[]> {
  return [
    { path: '.env.example', text: environmentExample() },
    { path: 'docs/errors.md', text: errorPage() },
    { path: 'docs/openapi.json', text: await openApi() },
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

function errorPage(): string {
  const rows = Object.entries(ERRORS).map(([code, entry]) => {
    const kind: ErrorKind = entry.kind;
    const status = 'status' in entry ? entry.status : ERROR_KINDS[kind].status;
    return `| \`${code}\` | ${status} | ${ERROR_KINDS[kind].exitCode} | ${cell(entry.message)} | ${cell(entry.wayOut)} |`;
  });
  return `# Errors

Every error has a code, what happened, and a way out. Programs match the code, never the text. The message may be more
exact than the one here. Generated from \`packages/contract/src/errors.ts\` by \`make generate\`.

| code | HTTP | exit code | what happened | what to do |
|---|---|---|---|---|
${rows.join('\n')}
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
