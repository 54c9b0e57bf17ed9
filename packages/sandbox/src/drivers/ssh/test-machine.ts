import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { type ErrorCode, HangarError, type ProfileCheck, type SshSettings } from '@hangar/contract';
import { createConnection } from './connection.ts';
import { printable, whyScriptFailed } from './failures.ts';
import type { SshClient } from './master.ts';
import { quoteForSh } from './quote.ts';
import { hostKeyAddress } from './route.ts';
import { runScript } from './session.ts';

const CALL_MS = 30_000;
/** Further apart, certificates and tokens of the one are wrong for the other. */
const SKEW_MOST_S = 60;

/** The words of `ssh -V`; null where there is none. */
export async function clientVersion(
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string | null> {
  signal.throwIfAborted();
  const child = spawn('ssh', ['-V'], { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: CALL_MS });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(0, 1_000);
  });
  return new Promise((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', (code) => resolve(code === 0 ? printable(said.split(',')[0] ?? '') : null));
  });
}

/** What a failed sign-in proves of the steps before it. */
const STEPS = ['Machine reached', 'Host key', 'Sign-in'] as const;
const FAILED_AT: Partial<Record<ErrorCode, number>> = {
  driver_unavailable: 0,
  host_key_changed: 1,
  driver_auth_failed: 2,
};

/** Signs in anew, so that it proves the key that is set now, and looks around. */
export async function testMachine(
  client: SshClient,
  settings: SshSettings,
  secret: () => Promise<string | null>,
  signal: AbortSignal,
): Promise<ProfileCheck[]> {
  const checks: ProfileCheck[] = [];
  const passed = (name: string, detail: string) => checks.push({ name, ok: true, detail, wayOut: null });
  const failed = (name: string, error: unknown) => {
    signal.throwIfAborted();
    const known = error instanceof HangarError ? error : new HangarError('internal', { cause: error });
    checks.push({ name, ok: false, detail: known.message, wayOut: known.wayOut });
  };

  const version = await clientVersion(client.env, signal);
  if (version === null) {
    failed(
      'SSH client',
      new HangarError('driver_unavailable', {
        ...{ message: 'There is no ssh on the machine of this server.', wayOut: 'Install the OpenSSH client there.' },
      }),
    );
    return checks;
  }
  passed('SSH client', version);

  const connection = createConnection(client, settings, secret);
  const run = (script: string, most = 8_192) =>
    runScript(client, connection, {
      ...{ script, most, signal, deadlineMs: CALL_MS },
      failed: (complaint, code) => whyScriptFailed('The command failed', complaint, code),
    });
  try {
    const details = [
      hostKeyAddress(settings),
      settings.hostKeys === undefined ? 'It is the one that was seen first.' : 'It is one of those in the profile.',
      settings.fromConfig ? 'As the configuration of this server says.' : `As ${settings.user}.`,
    ];
    try {
      (await connection.place(signal)).giveBack();
      for (const [index, name] of STEPS.entries()) passed(name, details[index] ?? '');
    } catch (error) {
      signal.throwIfAborted();
      const at = (error instanceof HangarError ? FAILED_AT[error.code] : undefined) ?? 0;
      for (const [index, name] of STEPS.entries()) {
        if (index < at) passed(name, details[index] ?? '');
        if (index === at) failed(name, error);
      }
      return checks;
    }

    let latencyMs = 0;
    try {
      await run('true');
      const began = performance.now();
      await run('true');
      latencyMs = Math.round(performance.now() - began);
      passed('A command runs', `In ${latencyMs} ms.`);
    } catch (error) {
      failed('A command runs', error);
      return checks;
    }

    try {
      passed('Folder', `${printable(await run(folderScript(settings.folder)))} can be written to.`);
    } catch (error) {
      failed('Folder', error);
    }

    try {
      checks.push(...readFacts(await run(FACTS), latencyMs, Date.now()));
    } catch (error) {
      failed('Machine', error);
    }
    return checks;
  } finally {
    await connection.close();
  }
}

const folderScript = (folder: string): string => `LC_ALL=C; export LC_ALL; umask 077
folder=${quoteForSh(folder)}
case $folder in "~/"*) folder=$HOME/\${folder#??};; esac
mkdir -p -- "$folder" || exit 1
file=$folder/.test-${randomBytes(6).toString('hex')}
echo test >"$file" && ln -- "$file" "$file-2" && rm -f -- "$file" "$file-2" || { rm -f -- "$file"; exit 1; }
printf %s "$folder"`;

const TOOLS = ['git', 'node', 'tar', 'script', 'setsid'] as const;

/** One fact in a line: name and value. The time last, as near as can be to when it is heard. */
const FACTS = `LC_ALL=C; export LC_ALL
echo "system $(. /etc/os-release 2>/dev/null; echo "\${PRETTY_NAME:-$(uname -s)}")"
echo "kernel $(uname -srm)"
echo "cores $(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)"
echo "memory $(awk '/^MemTotal:/ { print $2 }' /proc/meminfo 2>/dev/null)"
echo "disk $(df -Pk "$HOME" 2>/dev/null | awk 'NR == 2 { print $4 }')"
[ -r /proc/self/environ ] && echo "proc yes"
for tool in ${TOOLS.join(' ')}; do at=$(command -v $tool 2>/dev/null) && echo "$tool $at"; done
echo "time $(date +%s)"`;

const GIB = 1024 * 1024;

/** Hostile text: each value is shortened, and numbers are numbers. */
export function readFacts(text: string, latencyMs: number, now: number): ProfileCheck[] {
  const facts = new Map(
    text.split('\n').map((line) => {
      const [name = '', ...value] = line.split(' ');
      return [name, printable(value.join(' ')).slice(0, 120)];
    }),
  );
  const fact = (name: string): string => facts.get(name) || 'unknown';
  const gib = (name: string): string => {
    const kib = Number(facts.get(name) || Number.NaN);
    return Number.isFinite(kib) ? `${(kib / GIB).toFixed(1)} GiB` : 'unknown';
  };
  const check = (name: string, ok: boolean, detail: string, wayOut: string): ProfileCheck => ({
    ...{ name, ok, detail, wayOut: ok ? null : wayOut },
  });
  const size = `${fact('cores')} cores, ${gib('memory')} memory, ${gib('disk')} of disk free`;
  const missing = TOOLS.filter((tool) => !facts.has(tool));
  const skew = Math.round(Number(facts.get('time') || Number.NaN) + 0.5 - now / 1000);
  return [
    check(
      ...(['Machine', facts.has('proc'), `${fact('system')}, ${fact('kernel')}; ${size}.`] as const),
      'Choose a machine with Linux: only there the processes of a sandbox are found again.',
    ),
    check(
      ...([
        'Programs',
        facts.has('tar'),
        missing.length === 0 ? `${TOOLS.join(', ')} are there.` : `Missing: ${missing.join(', ')}.`,
      ] as const),
      'Install tar there: files are sent with it.',
    ),
    check(
      ...([
        'Clock',
        Math.abs(skew) <= SKEW_MOST_S,
        `${skew} s ahead of this server, measured within ${latencyMs} ms.`,
      ] as const),
      'Set the clock of the machine, best by NTP.',
    ),
  ];
}
