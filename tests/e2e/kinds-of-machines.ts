import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { dockerForTests } from '../../packages/sandbox/src/drivers/docker/testing/index.ts';
import { startSshd, whyNoSshd } from '../../packages/sandbox/src/drivers/ssh/testing/sshd.ts';
import type { ServerProcess } from './server-process.ts';

/** Where sandboxes are tried: on this machine, in a container that has no network, and behind sshd. */
export interface KindOfMachine {
  readonly title: string;
  readonly skipped: boolean;
  /** Makes the profile; what is disposed of when the server is gone goes into `opened`. Answers its name. */
  profile(server: ServerProcess, opened: AsyncDisposable[]): Promise<string>;
}

const docker = await dockerForTests();

async function create(server: ServerProcess, name: string, args: readonly string[], set: readonly string[]) {
  const made = await server.hangar([
    ...['profiles', 'create', name, ...args],
    ...set.flatMap((setting) => ['--set', setting]),
  ]);
  if (made.exitCode !== 0) throw new Error(`cannot make the profile ${name}: ${made.stderr}`);
  return name;
}

export const KINDS: readonly KindOfMachine[] = [
  { title: 'on a local profile', skipped: false, profile: async () => 'local' },
  {
    title: 'in a container without a network',
    skipped: 'skipped' in docker,
    async profile(server) {
      if ('skipped' in docker) return '';
      const set = [`host=${docker.host}`, `image=${docker.image}`, 'pull=never', 'network=none'];
      return create(server, 'boxes', ['--driver', 'docker'], set);
    },
  },
  {
    title: 'over ssh',
    skipped: whyNoSshd !== null,
    async profile(server, opened) {
      const sshd = await startSshd();
      opened.push(sshd);
      const key = join(server.dir, 'ssh-key');
      writeFileSync(key, sshd.key, { mode: 0o600 });
      const set = [`port=${sshd.port}`, `user=${userInfo().username}`, `folder=${server.dir}/units`];
      return create(server, 'box', ['--driver', 'ssh', '--host', '127.0.0.1', '--key', key], set);
    },
  },
];
