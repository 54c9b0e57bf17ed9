import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { HangarError, type SshSettings } from '@hangar/contract';
import type { HostKeys, ProfileOf } from '../../port/driver.ts';
import { askMaster, type Environment, exitCodeOf, noClient, spawnSsh, watchStart } from './client.ts';
import { type HopWords, printable, unreadableKey, whyNotConnected } from './failures.ts';
import { createMarks } from './marks.ts';
import type { PrivateFolder } from './private-folder.ts';
import { quoteForLogin } from './quote.ts';
import { configOf, hostKeyAddress, type Route, routeOf } from './route.ts';

/** From the first packet to a shell that answers, for one machine; each jump host gets as much. */
const SIGN_IN_MS = 30_000;
/** Of a name with many addresses. */
const MOST_ADDRESSES = 4;
/** Of what an ssh says no more is read. */
const LONGEST_WORDS = 8_192;

/** What starts ssh here. */
export interface SshClient {
  /** Its environment: what finds the program and, for profiles that read it, the account's configuration. */
  readonly env: Environment;
  readonly folder: PrivateFolder;
  readonly hostKeys: HostKeys;
  readonly addressesOf: ProfileOf['addressesOf'];
}

/** One connection, behind a socket that other ssh go through. */
export interface Master {
  readonly socket: string;
  /** Resolves when it is over, whatever ended it. */
  readonly over: Promise<void>;
  readonly isOver: () => boolean;
  /** Asks it whether it is alive. */
  check(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Connects and signs in. The ssh stays a child of ours and holds one session: a shell that reads until its standard input ends. So its end is
 * seen at once, and when this server is killed the connection ends with what runs through it, where one that ControlPersist sends to the
 * background would stay.
 * @throws HangarError driver_unavailable, driver_auth_failed, host_key_changed
 */
export async function startMaster(
  client: SshClient,
  settings: SshSettings,
  secret: () => Promise<string | null>,
  signal: AbortSignal,
): Promise<Master> {
  const [first] = routeOf(settings);
  const found = (await client.addressesOf?.(first.host)) ?? [null];
  let away: unknown = new HangarError('driver_unavailable', { message: `The host ${first.host} has no address.` });
  for (const address of found.slice(0, MOST_ADDRESSES))
    try {
      return await startMasterAt(address, client, settings, secret, signal);
    } catch (error) {
      // The next one may answer, as ssh itself tries them.
      if (!(error instanceof HangarError) || error.code !== 'driver_unavailable') throw error;
      away = error;
    }
  throw away;
}

async function startMasterAt(
  at: string | null,
  client: SshClient,
  settings: SshSettings,
  secret: () => Promise<string | null>,
  signal: AbortSignal,
): Promise<Master> {
  const route = routeOf(settings);
  const key = await secret();
  if (key === null && !settings.fromConfig) {
    throw new HangarError('driver_auth_failed', {
      message: 'The profile has no key.',
      wayOut: 'Give it a private key.',
    });
  }
  const address = hostKeyAddress(settings);
  const pinned = settings.hostKeys === undefined ? await client.hostKeys.known(address) : [];
  const given = settings.hostKeys !== undefined;
  const firstContact = !given && pinned.length === 0;

  const socket = await client.folder.file('.sock');
  const stem = socket.slice(0, -'.sock'.length);
  const files = {
    ...{ key: key === null ? null : `${stem}.key`, config: `${stem}.conf`, knownHosts: `${stem}.known` },
    words: (alias: string) => `${stem}.${alias === settings.host ? 'machine' : alias}.log`,
  };
  const write = (file: string, text: string) => writeFile(file, text, { mode: 0o600, flag: 'wx' });
  try {
    await write(files.config, configOf(route, files, { fromConfig: settings.fromConfig, firstContact, address: at }));
    await write(files.knownHosts, `${settings.hostKeys ?? pinned.join('\n')}\n`);
    // Its name stands in the configuration alone, and it is gone as soon as the sign-in is over.
    if (files.key !== null && key !== null) await write(files.key, `${key.replaceAll('\r\n', '\n').trim()}\n`);
    const master = await connect(
      client,
      { socket, files, route, given, fromConfig: settings.fromConfig },
      signal,
    ).catch(async (error: unknown) => {
      // Of a key that it cannot read ssh says no word when it may ask nobody.
      const refused = error instanceof HangarError && error.code === 'driver_auth_failed';
      if (!refused || files.key === null) throw error;
      const code = await exitCodeOf('ssh-keygen', ['-y', '-P', '', '-f', files.key], client.env);
      throw code === null || code === 0 ? error : unreadableKey();
    });
    if (firstContact) {
      const lines = (await readFile(files.knownHosts, 'utf8')).split('\n').filter((line) => line.trim() !== '');
      try {
        const known = await client.hostKeys.pin(address, lines);
        // Another connection was first, and saw another machine.
        if (!lines.every((line) => known.includes(line))) throw new HangarError('host_key_changed');
      } catch (error) {
        await master.close();
        throw error;
      }
    }
    return master;
  } finally {
    const words = route.map(({ alias }) => files.words(alias));
    const left = [files.config, files.knownHosts, ...words, ...(files.key === null ? [] : [files.key])];
    await Promise.all(left.map((file) => rm(file, { force: true })));
  }
}

interface Attempt {
  readonly socket: string;
  readonly files: { readonly config: string; readonly words: (alias: string) => string };
  readonly route: Route;
  readonly given: boolean;
  readonly fromConfig: boolean;
}

async function connect(client: SshClient, attempt: Attempt, signal: AbortSignal): Promise<Master> {
  const { socket, files, route } = attempt;
  const { env } = client;
  const target = route[route.length - 1] ?? route[0];
  const marks = createMarks();
  const hold = `exec sh -c 'eval "$(printf %b "$1")"' sh ${quoteForLogin(`${marks.print('start')}; exec cat >/dev/null`)}`;
  signal.throwIfAborted();
  const child = spawnSsh(
    [
      ...['-F', files.config, '-E', files.words(target.alias), '-M', '-S', socket],
      ...['-o', 'ControlPersist=no', target.alias, hold],
    ],
    env,
  );
  const notStarted = watchStart(child);
  let isOver = false;
  const over = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve())).then(
    () => {
      isOver = true;
    },
  );
  const answers = Promise.withResolvers<void>();
  const out = child.stdout.pipe(marks.filter(() => answers.resolve()));
  out.resume();
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('latin1')).slice(-LONGEST_WORDS);
  });

  const within = AbortSignal.any([signal, AbortSignal.timeout(SIGN_IN_MS * route.length)]);
  const stop = () => child.kill('SIGKILL');
  within.addEventListener('abort', stop, { once: true });
  await Promise.race([answers.promise, over]);
  within.removeEventListener('abort', stop);
  if (!isOver && !within.aborted) {
    return {
      ...{
        socket,
        over,
        isOver: () => isOver,
        check: () => (isOver ? Promise.resolve(false) : askMaster(env, socket, 'check')),
      },
      async close() {
        if (isOver) return;
        await askMaster(env, socket, 'exit');
        child.kill('SIGKILL');
        await over;
        await rm(socket, { force: true });
      },
    };
  }
  await over;
  signal.throwIfAborted();
  const why = notStarted();
  if (why !== null) throw noClient(why);
  const words: HopWords[] = [];
  for (const hop of route) {
    const said = await readSome(files.words(hop.alias));
    // What leads there by the account's own configuration has no file to speak into.
    const more = attempt.fromConfig && hop === target ? `\n${complaint}` : '';
    const about = { machine: hop.machine, isJump: hop !== target };
    words.push({ ...about, words: `${said}${more}`.replace(/^Warning: Permanently added .*$/gm, '') });
  }
  const silent = words.every((hop) => hop.words.trim() === '');
  if (silent && !within.aborted) throw noShell(target.machine, out.noise() || complaint);
  throw whyNotConnected(words, { given: attempt.given, late: within.aborted });
}

/** What ssh said nothing of: it signed in, and what the account runs did not do what it was asked. */
function noShell(machine: string, said: string): HangarError {
  const line = printable(said.split('\n').find((entry) => entry.trim() !== '') ?? '');
  return new HangarError('driver_unavailable', {
    message: `The account on ${machine} runs no commands${line === '' ? '.' : `: ${line}`}`,
    wayOut: 'Give it a login shell, and take a forced command off its key.',
  });
}

async function readSome(file: string): Promise<string> {
  const handle = await open(file, 'r').catch(() => null);
  if (!handle) return '';
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LONGEST_WORDS), 0, LONGEST_WORDS, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
