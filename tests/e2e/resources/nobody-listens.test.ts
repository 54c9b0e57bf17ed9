import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ServerProcess } from '../server-process.ts';

let server: ServerProcess | null = null;
afterEach(async () => {
  await server?.remove();
  server = null;
});

describe('a server whose words nobody takes', () => {
  it.each([
    { format: 'json', where: 'a full disk' },
    { format: 'text', where: 'a full disk' },
    { format: 'json', where: 'a pipe that was closed' },
    { format: 'text', where: 'a pipe that was closed' },
  ])(
    '$format, $where: works on, and ends when it is told to',
    async ({ format, where }) => {
      const full = where === 'a full disk' ? openSync('/dev/full', 'w') : null;
      server = await ServerProcess.make({ HANGAR_LOG_FORMAT: format, HANGAR_LOG_LEVEL: 'debug' });
      try {
        await server.start({ out: full ?? 'closed' });
      } finally {
        if (full !== null) closeSync(full);
      }
      const { pid } = server;
      const key = await server.adminKey();
      for (let turn = 0; turn < 20; turn++) {
        const answer = await fetch(`${server.url}/api/jobs`, { headers: { authorization: `Bearer ${key}` } });
        expect(answer.status).toBe(200);
        await answer.arrayBuffer();
        await sleep(20);
      }
      expect(process.kill(pid, 0)).toBe(true);
      await server.kill('SIGTERM');
      expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    },
    90_000,
  );
});
