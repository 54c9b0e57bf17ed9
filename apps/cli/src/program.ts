import { HangarError } from '@hangar/contract/errors';
import { run } from '@stricli/core';
import type { Cli } from './cli.ts';
import { buildProgram } from './command-tree.ts';
import { helpOfCommand, helpOfGroup } from './help.ts';
import { isGroup, isHelpTopic, ROOT, walk } from './routes.ts';
import { readSettings } from './settings.ts';
import { asHangarError, errorAsJson, errorForPeople, exitCodeOf, INTERRUPTED_EXIT_CODE } from './terminal/failure.ts';
import { createTerminal, type OutputStream } from './terminal/terminal.ts';

/** The process, as the program sees it. */
export interface Surroundings {
  readonly stdin: Cli['stdin'];
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The program and arguments that start this one. */
  readonly self: readonly string[];
  /** `canForce`: when it was interrupted before, it exits at once. */
  readonly onInterrupt: (listener: (canForce: boolean) => void) => void;
  readonly exit: (exitCode: number) => void;
}

/** Runs one command line and answers its exit code once everything is printed. */
export async function runProgram(argv: readonly string[], around: Surroundings): Promise<number> {
  const before = (flag: string) => argv.includes(flag) && !argv.slice(0, argv.indexOf(flag)).includes('--');
  const terminal = createTerminal({
    stdout: around.stdout,
    stderr: around.stderr,
    env: around.env,
    quiet: before('--quiet'),
    json: before('--json'),
  });
  const interrupt = new AbortController();
  const stop = () =>
    interrupt.abort(new HangarError('interrupted', { message: 'Stopped.', wayOut: 'Run it again to go on.' }));
  let last: (() => void) | null = null;
  const beforeExit: Cli['beforeExit'] = (work) => {
    last = work;
    return () => {
      last = null;
    };
  };
  // A reader that went away (| head) ends the command as it would end cat.
  around.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (last === null && error.code === 'EPIPE') return around.exit(0);
    const failure = asHangarError(error);
    if (error.code !== 'EPIPE') around.stderr.write(`${errorForPeople(failure, terminal.errColor)}\n`);
    if (last === null) around.exit(exitCodeOf(failure));
    else stop();
  });
  around.stderr.on('error', () => {});
  around.onInterrupt((canForce) => {
    if (canForce && interrupt.signal.aborted) {
      last?.();
      around.exit(INTERRUPTED_EXIT_CODE);
    }
    stop();
  });

  let exitCode: number;
  try {
    exitCode = await dispatch(argv, around, terminal, interrupt.signal, beforeExit);
  } catch (thrown) {
    const error = asHangarError(
      interrupt.signal.aborted && !(thrown instanceof HangarError) ? interrupt.signal.reason : thrown,
    );
    if (around.env.HANGAR_DEBUG && thrown instanceof Error) terminal.warn(thrown.stack ?? thrown.message);
    if (terminal.jsonMode) terminal.json(errorAsJson(error));
    await terminal.writeErr(`${errorForPeople(error, terminal.errColor)}\n`);
    exitCode = exitCodeOf(error);
  }
  await flushed(around.stdout);
  await flushed(around.stderr);
  return exitCode;
}

async function dispatch(
  argv: readonly string[],
  around: Surroundings,
  terminal: Cli['terminal'],
  signal: AbortSignal,
  beforeExit: Cli['beforeExit'],
): Promise<number> {
  const askedByWord = argv[0] === 'help' && !(argv[1] !== undefined && isHelpTopic(argv[1]));
  const words = askedByWord ? argv.slice(1) : argv;
  const end = words.indexOf('--');
  const options = end < 0 ? words : words.slice(0, end);
  const asked = askedByWord || options.includes('--help') || options.includes('-h');
  let place = walk(ROOT, words);
  const [word] = place.rest;
  // An id after a noun goes to the command that is meant when none is named: hangar artifacts j_…
  const isId = isGroup(place.node) && place.node.fallback !== undefined && /^[a-z]{1,2}_[0-9a-z]+$/.test(word ?? '');
  const unknownWord = isGroup(place.node) && word !== undefined && !word.startsWith('-') && !isId;
  if (!asked && !unknownWord && isGroup(place.node) && place.node.fallback !== undefined)
    place = walk(ROOT, [...place.path, place.node.fallback, ...place.rest]);
  if (!unknownWord && (asked || isGroup(place.node))) {
    const { node, path } = place;
    await terminal.write(
      isGroup(node) ? helpOfGroup(path, node, terminal) : helpOfCommand(path, await node.load(), terminal),
    );
    return 0;
  }

  if (argv[0] === '__complete') {
    const { complete } = await import('./completion.ts');
    await terminal.write(
      await complete(argv.slice(argv[1] === '--' ? 2 : 1), makeCli(around, terminal, signal, beforeExit)),
    );
    return 0;
  }

  if (argv[0] === '__places') {
    const { answerPlaces } = await import('./jobs/local/run-places.ts');
    await answerPlaces(JSON.parse(argv[1] ?? ''), (line) => terminal.write(line));
    return 0;
  }

  const loaded = isGroup(place.node) ? null : await place.node.load();
  let failure: unknown;
  const parsing = (thrown: unknown, path: readonly string[]) => {
    failure = new HangarError('usage', {
      message: thrown instanceof Error ? sentence(thrown.message) : String(thrown),
      wayOut: `See: hangar ${[...path, '--help'].join(' ')}`,
    });
    return '';
  };
  const app = buildProgram(
    loaded === null ? null : { path: place.path, loaded, failed: (thrown) => (failure = thrown) },
    {
      exceptionWhileParsingArguments: (thrown) => parsing(thrown, place.path),
      noCommandRegisteredForInput: ({ input, corrections }) => {
        const here = ['hangar', ...place.path];
        const meant = corrections.map((word) => [...here, word.replaceAll('`', '')].join(' '));
        failure = new HangarError('usage', {
          message: `There is no command ${JSON.stringify([...here, input].join(' '))}.`,
          wayOut: meant.length > 0 ? `Did you mean: ${meant.join(', ')}` : `See: ${[...here, '--help'].join(' ')}`,
        });
        return '';
      },
    },
  );

  let ending = 0;
  const cli = makeCli(around, terminal, signal, beforeExit, (code) => {
    ending = code;
  });
  await run(app, [...place.path, ...place.rest], cli);
  if (failure !== undefined) throw failure;
  return ending;
}

function makeCli(
  around: Surroundings,
  terminal: Cli['terminal'],
  signal: AbortSignal,
  beforeExit: Cli['beforeExit'],
  endWith: (exitCode: number) => void = () => {},
): Cli {
  const settings = readSettings(around.env, around.cwd);
  let api: ReturnType<Cli['api']> | undefined;
  let checkout: ReturnType<Cli['checkout']> | undefined;
  let elsewhere: ReturnType<Cli['recordsElsewhere']> | undefined;
  const silent = { write: () => {} };
  const cli: Cli = {
    // Stricli's own words are caught above; nothing it prints reaches the terminal.
    process: { stdout: silent, stderr: silent },
    terminal,
    settings,
    get stdin() {
      return around.stdin;
    },
    signal,
    beforeExit,
    endWith,
    api: (server, own) => {
      const connected = (until: AbortSignal) =>
        import('./server/api.ts').then(({ connect }) => connect({ settings, terminal, signal: until, server }));
      if (own !== undefined) return connected(own);
      api ??= connected(signal);
      return api;
    },
    checkout: () => {
      checkout ??= import('./checkout/checkout.ts').then(({ findCheckout }) =>
        findCheckout(settings.cwd, { signal, env: settings.env }),
      );
      return checkout;
    },
    self: around.self,
    recordsElsewhere: () => {
      elsewhere ??= Promise.all([import('./jobs/local/look-around.ts'), cli.checkout()]).then(([look, around]) =>
        look.recordsElsewhere(cli, around?.commonDir ?? null),
      );
      return elsewhere;
    },
  };
  return cli;
}

const sentence = (message: string): string => (/[.?!]$/.test(message) ? message : `${message}.`);

function flushed(stream: OutputStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) return resolve();
    stream.write('', () => resolve());
  });
}
