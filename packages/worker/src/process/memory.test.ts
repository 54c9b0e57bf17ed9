import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tempFolders } from '../testing/fixtures.ts';
import { memoryEvents } from './memory.ts';

const temp = tempFolders();
afterAll(() => temp.clean());

function cgroup(self: string, files: Record<string, string>) {
  const root = temp.make();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  writeFileSync(join(root, 'self'), self);
  return memoryEvents(root, join(root, 'self'));
}

test('version 2, by path and, in a container, at the root', async () => {
  const events = 'low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\n';
  expect(await cgroup('0::/a/b\n', { 'a/b/memory.events': events, 'a/b/memory.max': '1048576\n' })).toEqual({
    kills: 2,
    limitBytes: 1048576,
  });
  expect(await cgroup('0::/host/path\n', { 'memory.events': events, 'memory.max': 'max\n' })).toEqual({
    kills: 2,
    limitBytes: null,
  });
});

test('version 1, and none', async () => {
  const files = {
    'memory/x/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    'memory/x/memory.limit_in_bytes': '9223372036854771712\n',
  };
  expect(await cgroup('5:cpu,cpuacct:/x\n4:memory:/x\n', files)).toEqual({ kills: 1, limitBytes: null });
  expect(await cgroup('', {})).toBeNull();
});
