// Many followers of one log, with as little work for each as can be: numbers are read from the bytes. Started by follow.ts.
import { connect, type Socket } from 'node:net';
import { DELAY_MOST_MS, type Follow, type Followed } from './follow.ts';

const RETRY_MS = 100;

function run(task: Follow): Promise<Followed> {
  const delays = new Uint32Array(DELAY_MOST_MS + 1);
  const count = { gaps: 0, repeats: 0, reconnects: 0, incomplete: task.followers };
  const done = Promise.withResolvers<Followed>();
  const finish = () => done.resolve({ ...count, delays });
  setTimeout(finish, (task.seconds + 60) * 1000).unref();
  for (let n = 0; n < task.followers; n++) follow();
  return done.promise;

  function follow(): void {
    let last = 0;
    let ended = false;
    let socket: Socket;
    let since = 0;

    function open(): void {
      let rest: Buffer | null = null;
      // HTTP/1.0, so that the answer is the bytes of the stream and nothing between them.
      const made = connect({ host: task.host, port: task.port, noDelay: true }, () => {
        since = Date.now();
        made.write(
          `GET ${task.path} HTTP/1.0\r\nhost: ${task.host}\r\naccept: text/event-stream\r\nauthorization: Bearer ${task.key}\r\n${last > 0 ? `last-event-id: ${last}\r\n` : ''}\r\n`,
        );
      });
      socket = made;
      made.on('error', () => undefined);
      made.on('close', () => {
        if (ended || made !== socket) return;
        count.reconnects += 1;
        setTimeout(open, RETRY_MS);
      });
      made.on('data', (bytes: Buffer) => {
        const now = Date.now();
        const all: Buffer = rest ? Buffer.concat([rest, bytes]) : bytes;
        let at = 0;
        for (let end = all.indexOf('\n\n', at); end >= 0; end = all.indexOf('\n\n', at)) {
          event(all, at, end, now);
          at = end + 2;
        }
        rest = at < all.length ? all.subarray(at) : null;
      });
    }

    function event(all: Buffer, from: number, to: number, now: number): void {
      const begin = all.indexOf('id: ', from);
      if (begin < 0 || begin > to) {
        if (all.indexOf('event: end', from) === from) end(all.toString('latin1', from, to));
        return;
      }
      const line = all.indexOf('\n', begin);
      const lastOf = Number(all.toString('latin1', begin + 4, line));
      const data = all.indexOf('"n":', line);
      const firstOf = Number.parseInt(all.toString('latin1', data + 4, data + 16), 10);
      if (firstOf > last + 1) count.gaps += 1;
      if (firstOf <= last) count.repeats += 1;
      last = lastOf;
      const text = all.lastIndexOf('"text":"', to);
      const printed = Number.parseInt(all.toString('latin1', text + 8, text + 21), 10);
      // What was printed while it was away is caught up with, and not late.
      if (printed > since) {
        const ms = Math.min(DELAY_MOST_MS, Math.max(0, now - printed));
        delays[ms] = (delays[ms] ?? 0) + 1;
      }
    }

    function end(text: string): void {
      ended = true;
      const total = Number(/"total":(\d+)/.exec(text)?.[1]);
      if (total === last) count.incomplete -= 1;
      socket.destroy();
      following -= 1;
      if (following === 0) finish();
    }

    open();
    setTimeout(() => !ended && socket.destroy(), (task.cutFrom + Math.random() * (task.cutTo - task.cutFrom)) * 1000);
  }
}
let following = 0;

// Stays until it is ended: the exit of a process may be heard before its last message.
process.on('message', (task: Follow) => {
  following = task.followers;
  run(task).then((result) => process.send?.(result));
});
