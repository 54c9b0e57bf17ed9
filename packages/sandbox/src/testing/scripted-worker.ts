/**
 * A worker for tests of drivers. Its token is JSON and says what to do; it tells the test over HTTP, as the real one does.
 * Text and not a module, because it must run alone in a container with Node 20.
 */
export const SCRIPTED_WORKER = `
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';

let input = '';
for await (const chunk of process.stdin) input += chunk;
const order = JSON.parse(input.split('\\n')[0]);
const url = process.env.HANGAR_WORKER_URL;
const id = Math.random().toString(36).slice(2) + process.pid;

const tell = (event, more = {}) => new Promise((resolve, reject) => {
  const unix = url.startsWith('unix:');
  const options = { method: 'POST', headers: { authorization: 'Bearer ' + input.trim() }, ...(unix ? { socketPath: url.slice(5) } : {}) };
  const request = http.request(unix ? 'http://localhost/api/worker/claim' : url + '/api/worker/claim', options, (response) => {
    response.resume();
    response.on('end', resolve);
  });
  request.on('error', reject);
  request.end(JSON.stringify({ run: order.run, event, id, ...more }));
});
const attempt = (work) => { try { return String(work()); } catch (error) { return 'error ' + (error.code ?? error.message); } };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

if (order.do === 'exit') {
  await tell('up');
  if (order.say) console.error(order.say);
  process.exit(order.code ?? 0);
}
if (order.do === 'wait') {
  process.on('SIGTERM', async () => {
    await tell('term');
    process.exit(0);
  });
  await tell('up');
  for (;;) {
    await sleep(order.everyMs ?? 1000);
    await tell('alive').catch(() => {});
  }
}
if (order.do === 'tree') {
  process.on('SIGTERM', () => void tell('term').catch(() => {}));
  const dir = process.env.HANGAR_WORKER_DIR;
  const away = (script) => spawn('/bin/sh', ['-c', script], { stdio: 'ignore', cwd: dir }).unref();
  const stay = 'sleep ' + order.sleep;
  away('trap "" TERM; ' + stay + '; :');
  away('trap "" TERM HUP; (trap "" TERM HUP; ' + stay + ') & sleep 0.1; exit 0');
  away('setsid sh -c "trap \\'\\' TERM; ' + stay + '; :" &');
  away('(setsid sh -c "(' + stay + ' &) ; ' + stay + '" &) &');
  if (order.bare) away('(env -i setsid ' + stay + ' &) &');
  await sleep(1000);
  await tell('up');
  for (;;) await sleep(1000);
}
if (order.do === 'memory') {
  await tell('up');
  const held = [];
  for (;;) held.push(Buffer.alloc(8 * 1024 * 1024, 1));
}
if (order.do === 'look') {
  const dir = process.env.HANGAR_WORKER_DIR;
  const read = {};
  for (const file of order.read ?? []) read[file] = attempt(() => readFileSync(file, 'latin1').length);
  const list = {};
  for (const folder of order.list ?? []) list[folder] = attempt(() => readdirSync(folder).length);
  const write = {};
  for (const file of order.write ?? []) write[file] = attempt(() => { writeFileSync(file, 'x'); return 'written'; });
  const run = {};
  for (const [name, argv] of Object.entries(order.commands ?? {})) {
    run[name] = await new Promise((resolve) => {
      const child = spawn(argv[0], argv.slice(1), { cwd: dir });
      let out = '';
      child.stdout.on('data', (data) => { out += data; });
      child.stderr.on('data', (data) => { out += data; });
      child.on('error', (error) => resolve('error ' + error.code));
      child.on('close', (code) => resolve(code + ' ' + out));
    });
  }
  await tell('up', {
    read, list, write, ran: run, env: process.env, uid: process.getuid(), gid: process.getgid(), pid: process.pid,
    inFolder: attempt(() => { writeFileSync(path.join(dir, 'x'), 'x'); return 'written'; }),
    inHome: attempt(() => { writeFileSync(path.join(process.env.HOME, 'x'), 'x'); return 'written'; }),
    status: attempt(() => readFileSync('/proc/self/status', 'utf8')),
    pids: attempt(() => readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length),
  });
  process.exit(0);
}
`;
