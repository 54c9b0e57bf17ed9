import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { SshSettings } from '@hangar/contract';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configOf, hostKeyAddress, routeOf } from './route.ts';
import { whyNoSshd } from './testing/sshd.ts';

const FILES = {
  ...{ key: '/private/key', config: '/private/conf', knownHosts: '/private/known' },
  words: (alias: string) => `/private/${alias}.log`,
};
const written = (settings: SshSettings, files: Parameters<typeof configOf>[1] = FILES) =>
  configOf(routeOf(settings), files, { fromConfig: settings.fromConfig, firstContact: false });

it('a connection on which nothing comes any more ends within 30 s', () => {
  const text = written(SshSettings.parse({ host: 'a' }));
  const of = (name: string) => Number(new RegExp(`^ *${name} (\\d+)$`, 'm').exec(text)?.[1]);
  // ssh ends when so many questions have had no answer by the time of the next.
  expect(of('ServerAliveInterval') * (of('ServerAliveCountMax') + 1)).toBeLessThan(30);
});

it('no value of a profile becomes a directive, a pattern or a word of a command', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '\n',
      '\r',
      ' ',
      '"',
      "'",
      '%h',
      '$(id)',
      '`id`',
      ';',
      '|',
      '*',
      '!',
      '=',
      '-',
      '#',
      '\\',
      '\0',
      'a',
      'Host',
      '.',
      ':',
    ),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  const word = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''));
  const plain = written(SshSettings.parse({ host: 'a', jump: [{ host: 'b' }] }));
  fc.assert(
    fc.property(word, word, word, word, (host, user, jumpHost, jumpUser) => {
      const parsed = SshSettings.safeParse({ host, user, jump: [{ host: jumpHost, user: jumpUser }] });
      if (!parsed.success) return;
      const text = written(parsed.data);
      expect(text.split('\n').map((line) => line.trim().split(' ')[0])).toEqual(
        plain.split('\n').map((line) => line.trim().split(' ')[0]),
      );
      for (const value of [host, user, jumpHost, jumpUser]) expect(value).toMatch(/^[A-Za-z0-9._:-]+$/);
    }),
    { numRuns: 2_000 },
  );
  for (const host of ['-oProxyCommand=id', 'a\nProxyCommand id', 'a b', 'a%h', 'a*', '"a"', '']) {
    expect(SshSettings.safeParse({ host }).success).toBe(false);
  }
});

it('keeps host keys apart by the whole way', () => {
  const address = (settings: object) => hostKeyAddress(SshSettings.parse({ host: '10.0.0.5', ...settings }));
  expect(address({})).toBe('10.0.0.5:22');
  expect(address({ host: 'gpu', fromConfig: true })).toBe('gpu');
  expect(address({ host: '::1', port: 2222 })).toBe('[::1]:2222');
  expect(address({ jump: [{ host: 'a' }, { host: 'b', port: 9 }] })).toBe('a:22 > b:9 > 10.0.0.5:22');
});

describe.skipIf(whyNoSshd !== null)('as ssh reads it', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'hangar-route-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function resolved(text: string, host: string): Promise<Map<string, string>> {
    const file = path.join(folder, 'conf');
    await writeFile(file, text, { mode: 0o600 });
    const { stdout } = await promisify(execFile)('ssh', ['-G', '-F', file, host]);
    return new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => [line.split(' ')[0] ?? '', line.split(' ').slice(1).join(' ')]),
    );
  }
  const SAFE = {
    ...{ batchmode: 'yes', forwardagent: 'no', forwardx11: 'no', clearallforwardings: 'yes', permitlocalcommand: 'no' },
    ...{
      passwordauthentication: 'no',
      kbdinteractiveauthentication: 'no',
      stricthostkeychecking: 'true',
      tunnel: 'false',
    },
    ...{
      serveraliveinterval: '8',
      serveralivecountmax: '2',
      connecttimeout: '10',
      userknownhostsfile: '/private/known',
    },
  };

  it('is what is said, for the machine and for each jump host', async () => {
    const settings = SshSettings.parse({
      host: 'Box',
      user: 'me',
      port: 9,
      jump: [{ host: '10.0.0.1', port: 2022, user: 'a' }, { host: '::1' }],
    });
    const [first, second, target] = routeOf(settings);
    const text = written(settings);
    const of = async (alias = '') => Object.fromEntries(await resolved(text, alias));
    const alone = { ...SAFE, identitiesonly: 'yes', identityagent: 'none', identityfile: '/private/key' };
    expect(await of(first.alias)).toMatchObject({ ...alone, hostname: '10.0.0.1', port: '2022', user: 'a' });
    expect(await of(first.alias)).not.toHaveProperty('proxycommand');
    expect(await of(second?.alias)).toMatchObject({ ...alone, hostname: '::1', port: '22', user: 'me' });
    const way = (alias = '') => `ssh -F /private/conf -E /private/${alias}.log -W [%h]:%p ${alias}`;
    expect(await of(second?.alias)).toMatchObject({ proxycommand: way(first.alias) });
    expect(await of(target?.alias)).toMatchObject({
      ...alone,
      hostname: 'box',
      port: '9',
      user: 'me',
      proxycommand: way(second?.alias),
    });
  });

  it('takes of the account only how to get there', async () => {
    const account = path.join(folder, 'account');
    await writeFile(
      account,
      `Host gpu
  HostName 10.9.8.7
  User ubuntu
  Port 2200
  IdentityFile /home/me/.ssh/cloud
  ProxyCommand cloud-proxy %h
  ForwardAgent yes
  PermitLocalCommand yes
  LocalCommand touch /tmp/x
  RemoteCommand tmux
  RequestTTY force
  LocalForward 1 localhost:1
  Tunnel yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
`,
    );
    const read = async (settings: object, key: string | null) => {
      const parsed = SshSettings.parse({ host: 'gpu', fromConfig: true, ...settings });
      const text = written(parsed, { ...FILES, key }).replace('Include config', `Include ${account}`);
      return Object.fromEntries(await resolved(text, 'gpu'));
    };
    const way = { hostname: '10.9.8.7', proxycommand: 'cloud-proxy %h', requesttty: 'false' };
    expect(await read({}, null)).not.toHaveProperty('remotecommand');
    expect(await read({}, null)).toMatchObject({
      ...SAFE,
      ...way,
      user: 'ubuntu',
      port: '2200',
      identityfile: '/home/me/.ssh/cloud',
    });
    expect(await read({ user: 'me', port: 9 }, '/private/key')).toMatchObject({
      ...SAFE,
      ...way,
      user: 'me',
      port: '9',
      identitiesonly: 'yes',
    });
  });
});
