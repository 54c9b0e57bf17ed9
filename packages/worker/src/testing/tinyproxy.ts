import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Null where Debian's tinyproxy-bin is not installed: tests that need it are skipped. */
export const TINYPROXY = ['/usr/bin/tinyproxy', '/usr/sbin/tinyproxy'].find((file) => existsSync(file)) ?? null;

export interface Tinyproxy {
  /** `http://127.0.0.1:PORT`, with the sign-in when there is one. */
  readonly url: string;
  /** What it was asked to reach so far, as `CONNECT host:port` and `GET http://host:port/…`. */
  asked(): string[];
  stop(): Promise<void>;
}

/** A real HTTP proxy on a port of its own. */
export async function startTinyproxy(o: { signIn?: { user: string; password: string } } = {}): Promise<Tinyproxy> {
  const dir = mkdtempSync(join(tmpdir(), 'hangar-tinyproxy-'));
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const log = join(dir, `log-${attempt}`);
    const lines = [
      `Port ${port}`,
      'Listen 127.0.0.1',
      'Timeout 60',
      `LogFile "${log}"`,
      'LogLevel Connect',
      'MaxClients 50',
      ...(o.signIn ? [`BasicAuth ${o.signIn.user} ${o.signIn.password}`] : []),
    ];
    const config = join(dir, 'tinyproxy.conf');
    writeFileSync(config, `${lines.join('\n')}\n`);
    const child = spawn(TINYPROXY ?? '', ['-d', '-c', config], { stdio: 'ignore' });
    const isUp = await answers(port, child);
    // Somebody else may have taken the port meanwhile.
    if (!isUp && attempt < 5) continue;
    if (!isUp) throw new Error(`tinyproxy does not start: ${existsSync(log) ? readFileSync(log, 'utf8') : ''}`);
    const signIn = o.signIn ? `${o.signIn.user}:${o.signIn.password}@` : '';
    return {
      url: `http://${signIn}127.0.0.1:${port}`,
      asked: () =>
        [...readFileSync(log, 'utf8').matchAll(/Request \(file descriptor \d+\): (\S+ \S+)/g)].map(
          ([, line]) => line ?? '',
        ),
      stop: async () => {
        if (child.exitCode === null && child.signalCode === null) {
          child.kill('SIGKILL');
          await once(child, 'exit');
        }
        rmSync(dir, { recursive: true, force: true });
      },
    };
  }
}

/** A key and a certificate for 127.0.0.1 and localhost that nobody knows. */
export function makeCertificate(dir: string): {
  readonly key: string;
  readonly cert: string;
  readonly certFile: string;
} {
  const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
    ].concat(['-addext', names, '-keyout', keyFile, '-out', certFile]),
    { stdio: 'ignore' },
  );
  return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8'), certFile };
}

async function answers(port: number, child: ChildProcess): Promise<boolean> {
  for (const end = performance.now() + 20_000; performance.now() < end && child.exitCode === null; await sleep(20)) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return child.exitCode === null;
  }
  child.kill('SIGKILL');
  return false;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
