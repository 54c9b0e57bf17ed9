// P5: a command in a container, from the call to its exit with all that it printed: supervised through the machine layer, and direct,
// beside the calls of the Engine that the least of it takes.
import { once } from 'node:events';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { createEngine } from '../packages/sandbox/src/drivers/docker/engine.ts';
import { createDockerMachine } from '../packages/sandbox/src/drivers/docker/machine.ts';
import { dockerForTests } from '../packages/sandbox/src/drivers/docker/testing/index.ts';
import { openSandbox } from '../packages/sandbox/src/machine/sandbox.ts';
import { median, quantile, record, timed } from './measure.ts';

const ROUNDS = 100;
const docker = await dockerForTests();
if ('skipped' in docker) {
  console.log(`P5 skipped: ${docker.skipped}`);
} else {
  const engine = createEngine(docker.host);
  const signal = () => AbortSignal.timeout(60_000);
  const container = `hangar-bench-p5-${process.pid}`;
  const body = {
    ...{ Image: docker.image, Entrypoint: ['sleep', 'infinity'] },
    HostConfig: { Init: true, NetworkMode: 'none' },
  };
  await engine.json('POST', '/containers/create', { query: { name: container }, body, signal: signal() });
  try {
    await engine.json('POST', `/containers/${container}/start`, { signal: signal() });
    const machine = createDockerMachine({ engine, container });
    const direct = async () => {
      const channel = await machine.open(['true'], { stdin: false, signal: signal() });
      channel.stdout.resume();
      channel.stderr.resume();
      const { code } = await channel.exit;
      if (code !== 0) throw new Error(`It ended with ${code}.`);
    };
    const { executions } = openSandbox(machine);
    let n = 0;
    const supervised = async () => {
      const spec = {
        ...({
          id: `x_${n++}`,
          command: ['true'],
          cwd: null,
          env: {},
          user: null,
          stdin: 'none',
          terminal: null,
        } as const),
        ...{ timeoutMs: null, graceMs: 5_000 },
      };
      for await (const output of executions.run(spec, { stdout: 0, stderr: 0 }, { signal: signal() }))
        if (output.type === 'end' && output.result.exitCode !== 0) throw new Error(JSON.stringify(output.result));
    };
    const floor = () => raw(docker.host, container, ['true']);
    const ways = [floor, direct, supervised] as const;
    const ms: [number[], number[], number[]] = [[], [], []];
    for (const way of ways) await way();
    // In turn, so that all feel the same noise.
    for (let round = 0; round < ROUNDS; round++)
      for (const [index, way] of ways.entries()) ms[index]?.push(await timed(way));
    const [raws, directs, supervises] = ms;
    const times = (some: readonly number[], q = 0.5) => (quantile(some, q) / quantile(raws, q)).toFixed(2);
    const met = median(supervises) <= 1.5 * median(raws) && median(directs) <= 1.1 * median(raws);
    record({
      ...{ id: 'P5', what: 'sandbox on Docker: a command to its end', met },
      bar: '≤ 1.5 × own calls of the Engine supervised, ≤ 1.1 × direct',
      result: `${times(supervises)} × supervised, ${times(directs)} × direct; at the 95th percentile ${times(supervises, 0.95)} × and ${times(directs, 0.95)} ×`,
      series: [
        { label: 'calls of the Engine', ms: raws },
        { label: 'direct', ms: directs },
        { label: 'supervised', ms: supervises },
      ],
      notes: [
        'Supervised starts 18 programs more than the one process of the Engine (folder and pipes of the spool, the order from standard input, two copiers, a keeper, two sessions, a look for what is left): all of them are processor time, so the ratio grows with the load of the machine (1.97 × at a load of 40 on two cores).',
      ],
      command: 'node bench/p5-sandbox-docker.bench.ts',
    });
  } finally {
    await engine.json('DELETE', `/containers/${container}`, { query: { force: '1' }, signal: signal() });
  }
}

/** The least that it takes: create, start with the connection taken over, read to its end, ask for the exit. */
async function raw(host: string, container: string, argv: readonly string[]): Promise<void> {
  const made = await answerOf(host, 'POST', `/containers/${container}/exec`, {
    ...{ Cmd: argv, AttachStdout: true, AttachStderr: true },
  });
  const { Id: id } = JSON.parse(made) as { Id: string };
  const output = await new Promise<Duplex>((resolve, reject) => {
    const upgrade = { Connection: 'Upgrade', Upgrade: 'tcp' };
    const request = send(host, 'POST', `/exec/${id}/start`, { Detach: false, Tty: false }, upgrade);
    request.on('upgrade', (_response, socket, head) => {
      socket.unshift(head);
      resolve(socket);
    });
    request.on('response', ({ statusCode }) => reject(new Error(`The Engine answered ${statusCode}.`)));
    request.on('error', reject);
  });
  output.resume();
  await once(output, 'end');
  const { ExitCode } = JSON.parse(await answerOf(host, 'GET', `/exec/${id}/json`)) as { ExitCode: number | null };
  if (ExitCode !== 0) throw new Error(`It ended with ${ExitCode}.`);
}

function send(host: string, method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const text = body === undefined ? '' : JSON.stringify(body);
  const where = host.startsWith('unix://')
    ? { socketPath: host.slice('unix://'.length) }
    : { host: new URL(host).hostname, port: new URL(host).port };
  const type = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': text.length };
  const request = http.request({
    ...where,
    method,
    path,
    agent: false,
    headers: { Host: 'docker', ...type, ...headers },
  });
  request.end(text);
  return request;
}

function answerOf(host: string, method: string, path: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = send(host, method, path, body);
    request.on('error', reject);
    request.on('response', async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      if ((response.statusCode ?? 0) < 400) resolve(text);
      else reject(new Error(text));
    });
  });
}
