import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { ROOT } from '../e2e/server-process.ts';
import { installPythonTools } from './python-tools.ts';

const FOLDER = join(ROOT, 'deploy/terraform');
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.tf'));
/** What is declared, as it is referred to: var.name, local.name, data.type.name, type.name. */
const DECLARED = `
import glob, hcl2, json, sys
names = []
clean = lambda text: text.strip('"')
for file in sorted(glob.glob(sys.argv[1] + '/*.tf')):
    with open(file) as opened:
        found = hcl2.load(opened)
    for block in found.get('variable', []): names += ['var.' + clean(name) for name in block]
    for block in found.get('locals', []): names += ['local.' + clean(name) for name in block if not name.startswith('__')]
    for kind, before in (('resource', ''), ('data', 'data.')):
        for block in found.get(kind, []):
            names += [before + clean(type) + '.' + clean(name) for type in block for name in block[type]]
print(json.dumps(names))
`;

it('the Terraform files are HCL, and every name they use is declared', async ({ skip }) => {
  const tools = await installPythonTools();
  if ('skipped' in tools) return skip(tools.skipped);
  const { stdout } = await execa('python3', ['-c', DECLARED, FOLDER], { env: { PYTHONPATH: tools.folder } });
  const declared = JSON.parse(stdout) as string[];
  expect(declared).toEqual(
    expect.arrayContaining(['var.name', 'linode_lke_cluster.this', 'data.linode_instances.servers']),
  );
  const used = new Set<string>();
  for (const file of files) {
    const text = readFileSync(join(FOLDER, file), 'utf8').replace(/#.*$/gm, '');
    for (const [name] of text.matchAll(/\b(var|local)\.\w+|\b(data\.)?linode_\w+\.\w+/g)) used.add(name);
  }
  expect([...used].filter((name) => !declared.includes(name))).toEqual([]);
  expect(declared.filter((name) => name.startsWith('var.') && !used.has(name))).toEqual([]);
}, 150_000);
