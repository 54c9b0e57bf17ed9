// A key in the terminal of a sandbox: from its frame to its echo, on local and docker, beside the same by docker exec -it.
import { execFileSync, spawn } from 'node:child_process';
import { readTerminalFrame, TERMINAL_PROTOCOL, type TerminalSaid } from '@hangar/contract';
import { WebSocket } from 'ws';
import { dockerForTests } from '../packages/sandbox/src/drivers/docker/testing/index.ts';
import { ServerProcess } from '../tests/e2e/server-process.ts';
import { interleave, median, record } from './measure.ts';

const KEYS = 100;
/** Something that echoes each key. */
interface Echo {
  key(): Promise<void>;
  close(): void;
}

const docker = await dockerForTests();
const server = await (await ServerProcess.make()).start();
try {
  const key = await server.signIn();
  const overLocal = await terminal(key, 'local');
  const local = await measured(overLocal, overLocal);
  overLocal.close();
  if ('skipped' in docker) {
    console.log(`docker skipped: ${docker.skipped}`);
  } else {
    const set = [`host=${docker.host}`, `image=${docker.image}`, 'pull=never', 'network=none'];
    await server.hangar(['profiles', 'create', 'boxes', '--driver', 'docker', ...set.flatMap((one) => ['--set', one])]);
    const overDocker = await terminal(key, 'boxes');
    const [name = ''] = execFileSync('docker', ['-H', docker.host, 'ps', '--format', '{{.Names}}'])
      .toString()
      .split('\n');
    const direct = byScript(`docker -H ${docker.host} exec -it ${name} cat`);
    const { floor, subject } = await interleave(KEYS, direct.key, overDocker.key);
    const over = median(subject) - median(floor);
    record({
      id: 'terminal',
      what: 'a key in a terminal: sent to its echo, through the server',
      bar: '≤ docker exec -it + 100 ms',
      met: over <= 100,
      result: `docker exec -it + ${over.toFixed(0)} ms; local ${median(local).toFixed(0)} ms`,
      series: [
        { label: 'docker exec -it', ms: floor },
        { label: 'docker', ms: subject },
        { label: 'local', ms: local },
      ],
      command: 'node bench/terminal-echo.bench.ts',
    });
    overDocker.close();
    direct.close();
  }
} finally {
  await server.remove();
}

async function measured(one: Echo, other: Echo): Promise<number[]> {
  return (await interleave(KEYS, one.key, other.key)).subject;
}

async function terminal(key: string, profile: string): Promise<Echo> {
  const { stdout } = await server.hangar(['sandbox', 'open', '--on', profile, '--json']);
  const headers = { authorization: `Bearer ${key}` };
  const made = await fetch(`${server.url}/api/drivers/execute`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ sandbox: JSON.parse(stdout).id, command: ['cat'], terminal: { columns: 80, rows: 24 } },
    }),
  });
  const { id } = (await made.json()) as { id: string };
  const url = `${server.url.replace('http', 'ws')}/api/drivers/terminal?execution=${id}&writer=benchbench`;
  const socket = new WebSocket(url, TERMINAL_PROTOCOL, { headers });
  const echo = waiting();
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject).on('message', (data: Buffer, isBinary) => {
      if (!isBinary) return (JSON.parse(data.toString()) as TerminalSaid).type === 'ready' ? resolve() : undefined;
      const { offset, bytes } = readTerminalFrame(data);
      socket.send(JSON.stringify({ type: 'seen', offset: offset + bytes.length }));
      echo.came();
    });
  });
  return {
    key: () => echo.after(() => socket.send(Buffer.from('x'))),
    close: () => socket.terminate(),
  };
}

function byScript(command: string): Echo {
  const child = spawn('script', ['-qfec', command, '/dev/null']);
  const echo = waiting();
  child.stdout.on('data', echo.came);
  return { key: () => echo.after(() => child.stdin.write('x')), close: () => child.kill('SIGKILL') };
}

function waiting() {
  let came = (): void => undefined;
  return {
    came: () => came(),
    after: (send: () => void) =>
      new Promise<void>((resolve) => {
        came = resolve;
        send();
      }),
  };
}
