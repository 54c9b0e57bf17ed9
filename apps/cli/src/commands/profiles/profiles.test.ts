import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeServer } from '../../testing/fake-server.ts';
import { Desk } from '../../testing/hangar.ts';
import { readSshHost } from './import/ssh-config.ts';

// Real processes on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 });

const SSH = (() => {
  try {
    return execFileSync('sh', ['-c', 'command -v ssh'], { encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
})();

let server: FakeServer;
let desk: Desk;
beforeAll(async () => {
  server = await new FakeServer().start();
  desk = new Desk({ HANGAR_SERVER: server.url, HANGAR_TOKEN: server.apiKey });
  for (const [name, phrase] of [
    ['plain', ''],
    ['locked', 'a passphrase'],
  ] as const)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', phrase, '-C', '', '-f', desk.path(name)]);
});
afterAll(async () => {
  await server?.stop();
  desk?.dispose();
});
beforeEach(() => {
  server.profiles.splice(1);
  server.profileSecrets.clear();
  server.profileChanges.splice(0);
});

/** A program of this name that comes first on the PATH. */
function program(name: string, script: string): Record<string, string> {
  chmodSync(desk.write(`bin/${name}`, `#!/bin/sh\n${script}\n`), 0o755);
  return { PATH: `${desk.path('bin')}${delimiter}${desk.env.PATH}` };
}
const key = () => readFileSync(desk.path('plain'), 'utf8');

describe('a key', () => {
  it('is read from a file or standard input, sent, and shown by nobody', async () => {
    const said = [
      await desk.run(['profiles', 'create', 'box', '--driver', 'ssh', '--host', 'box.example', '--key', 'plain']),
      await desk.run(['profiles', 'create', 'cloud', '--driver', 'e2b', '--key', '-', '--personal', '--json'], {
        input: 'e2b_4711c0ffee\n',
      }),
      await desk.run(['profiles', 'show', 'box']),
      await desk.run(['profiles']),
      await desk.run(['profiles', 'list', '--json']),
    ];
    for (const { code, stdout, stderr } of said) {
      expect(code, stderr).toBe(0);
      expect(stdout + stderr).not.toMatch(/PRIVATE KEY|4711c0ffee/);
    }
    expect(server.profileSecrets.get('box')).toEqual({ key: key() });
    expect(server.profileSecrets.get('cloud')).toEqual({ apiKey: 'e2b_4711c0ffee' });
    expect(JSON.parse(said[1]?.stdout ?? '')).toMatchObject({ personal: true, secrets: { apiKey: true } });
    expect(said[2]?.stdout).toMatch(/^key +set$/m);
    expect(said[3]?.stdout).toMatch(/cloud.*e2b.*yours/);
  });

  it.each([
    ['by --set', ['--set', 'key=abc'], 'key is secret, and others can read the arguments'],
    ['that is a public one', ['--key', 'plain.pub'], 'That is a public key.'],
    ['with a passphrase', ['--key', 'locked'], 'The key has a passphrase'],
    ['that is none', ['--key', 'config/none'], 'there is no such file'],
    ['that is something else', ['--key', 'text'], 'no private key in PEM or OpenSSH format'],
  ])('is refused %s, and nothing is sent', async (_what, flags, message) => {
    desk.write('text', 'hello\n');
    const words = ['profiles', 'create', 'box', '--driver', 'ssh', '--host', 'box.example', ...flags];
    const ended = await desk.run(words);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(message);
    expect(server.profiles).toHaveLength(1);
  });

  it('is for drivers that take one', async () => {
    const ended = await desk.run(['profiles', 'create', 'x', '--driver', 'local', '--key', 'plain']);
    expect(ended.stderr).toContain('The driver local takes no key.');
  });

  it('is changed alone, and host keys are forgotten alone', async () => {
    await desk.run(['profiles', 'create', 'box', '--driver', 'ssh', '--host', 'box.example']);
    await desk.run(['profiles', 'update', 'box', '--key', '-'], { input: key() });
    await desk.run(['profiles', 'update', 'box', '--forget-host-key']);
    expect(server.profileChanges).toEqual([
      { name: 'box', settings: { key: key() } },
      { name: 'box', forgetHostKey: true },
    ]);
    expect((await desk.run(['profiles', 'update', 'box'])).stderr).toContain('Nothing to change was given.');
  });
});

describe.skipIf(SSH === null)('a host of ~/.ssh/config', () => {
  const CONFIG = `
Host box
  HostName box.example.org
  Port 2222
  User ci
  IdentityFile plain
  ProxyJump first,ada@second.example.org:2200
Host first
  HostName first.example.org
  User gate
  ProxyJump outer
Host outer
  HostName outer.example.org
Host six
  HostName six.example.org
  User root
  IdentityFile none
  ProxyJump root@[2001:db8::1]:2022
Host mixed
  IdentityFile plain
  ProxyJump other
Host other
  IdentityFile locked
Host command
  ProxyCommand nc %h %p
Host alias
  HostKeyAlias elsewhere
${[1, 2, 3, 4, 5, 6].map((n) => `Host d${n}\n  ProxyJump d${n + 1}`).join('\n')}
Host quiet
  User root
  IdentityFile /nowhere/id
`;
  const ask = async (args: readonly string[]) => {
    const file = desk.write('ssh/config', CONFIG);
    return (await promisify(execFile)(SSH ?? 'ssh', ['-F', file, ...args])).stdout;
  };

  it('becomes fields, as ssh itself understands it, with the whole way', async () => {
    const found = await readSshHost('box', ask);
    const { user } = await readSshHost('outer', ask);
    expect(found).toEqual({
      ...{ host: 'box.example.org', port: 2222, user: 'ci', identityFiles: ['plain'] },
      jump: [
        { host: 'outer.example.org', port: 22, user },
        { host: 'first.example.org', port: 22, user: 'gate' },
        { host: 'second.example.org', port: 2200, user: 'ada' },
      ],
    });
    expect((await readSshHost('six', ask)).jump).toEqual([{ host: '2001:db8::1', port: 2022, user: 'root' }]);
  });

  it.each([
    ['command', /ProxyCommand nc %h %p, and a profile has no such setting/],
    ['alias', /HostKeyAlias elsewhere/],
    ['mixed', /other on its way has another key, locked/],
    ['d1', /its way has more than 5 machines/],
    ['-oProxyCommand=x', /is not a host/],
  ])('is refused when it cannot be fields: %s', async (host, message) => {
    await expect(readSshHost(host, ask)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    });
  });

  it('is made a profile with its key', async () => {
    desk.write('ssh/config', CONFIG);
    const env = program('ssh', `exec ${SSH} -F ${desk.path('ssh/config')} "$@"`);
    const ended = await desk.run(['profiles', 'import', 'ssh', 'box', '--name', 'build', '--personal'], { env });
    expect(ended.code, ended.stderr).toBe(0);
    expect(server.profiles[1]).toMatchObject({
      ...{ name: 'build', driver: 'ssh', personal: true },
      settings: { host: 'box.example.org', port: 2222, user: 'ci', fromConfig: false },
    });
    expect(server.profileSecrets.get('build')).toEqual({ key: key() });
    const none = await desk.run(['profiles', 'import', 'ssh', 'quiet'], { env });
    expect(none.stderr).toContain('none of its keys is a file here (/nowhere/id)');
    expect(none.code).toBe(2);
  });
});

describe('a context of Docker', () => {
  const context = (more: object) => `cat <<'END'\n${JSON.stringify([{ Name: 'lab', ...more }])}\nEND`;

  it('becomes a profile', async () => {
    const env = program(
      'docker',
      `[ "$*" = "context inspect lab" ] || exit 1\n${context({ Endpoints: { docker: { Host: 'tcp://10.0.0.7:2375' } }, TLSMaterial: {} })}`,
    );
    const ended = await desk.run(['profiles', 'import', 'docker', 'lab'], { env });
    expect(ended.code, ended.stderr).toBe(0);
    expect(server.profiles[1]).toMatchObject({
      name: 'lab',
      driver: 'docker',
      settings: { host: 'tcp://10.0.0.7:2375' },
    });
  });

  it.each([
    [{ Endpoints: { docker: { Host: 'ssh://ci@box' } } }, 'its Engine is reached by ssh://ci@box'],
    [{ Endpoints: { docker: { Host: 'tcp://h:2376' } }, TLSMaterial: { docker: ['ca.pem'] } }, 'wants certificates'],
    [{}, 'it names no Engine'],
  ])('is refused when it cannot be one: %j', async (more, message) => {
    const ended = await desk.run(['profiles', 'import', 'docker'], { env: program('docker', context(more)) });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(message);
    expect(server.profiles).toHaveLength(1);
  });

  it('that Docker does not know is refused in its words', async () => {
    const env = program('docker', 'echo "context \\"lab\\": context not found" >&2; exit 1');
    const ended = await desk.run(['profiles', 'import', 'docker', 'lab'], { env });
    expect(ended.stderr).toContain('context "lab": context not found');
    expect(ended.code).toBe(2);
  });
});

describe('the variables of a provider', () => {
  it.each([
    ['e2b', { E2B_API_KEY: 'e2b_1', E2B_DOMAIN: 'e2b.example.org' }, { domain: 'e2b.example.org' }],
    ['daytona', { DAYTONA_API_KEY: 'dtn_1', DAYTONA_TARGET: 'eu' }, { target: 'eu' }],
  ])('become a profile: %s', async (driver, env, settings) => {
    const ended = await desk.run(['profiles', 'import', driver], { env });
    expect(ended.code, ended.stderr).toBe(0);
    expect(server.profiles[1]).toMatchObject({ name: driver, driver, settings });
    expect(Object.values(server.profileSecrets.get(driver) ?? {})).toEqual([Object.values(env)[0]]);
    const without = await desk.run(['profiles', 'import', driver]);
    expect(without.stderr).toContain(`${Object.keys(env)[0]} is not set.`);
  });
});
