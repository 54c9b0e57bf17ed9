import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRepo } from '../../packages/worker/src/testing/fixtures.ts';
import { type GitServer, startGitServer } from '../../packages/worker/src/testing/git-server.ts';
import { SSHD, startSshServer } from '../../packages/worker/src/testing/ssh-server.ts';
import { ServerProcess } from './server-process.ts';

const TOKEN = 'ghp_Zq8vT3mXw5Lr9KbN2cYdEaHj';
const ENV_SECRET = 'sk-agent-4711-nobody-may-read';

/** Forms a careless program leaves a secret in. */
const forms = (secret: string) => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  encodeURIComponent(secret),
];

let server: ServerProcess;
let adminKey: string;
beforeAll(async () => {
  server = await (await ServerProcess.make()).start();
  adminKey = await server.signIn();
});
afterAll(() => server?.remove());

/** Command lines and environments of all processes but those of this test. */
function processesHolding(secrets: readonly string[]): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const what of ['cmdline', 'environ']) {
      try {
        const text = readFileSync(`/proc/${pid}/${what}`, 'latin1');
        if (secrets.some((secret) => text.includes(secret)))
          found.push(`${what} of ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')}`);
      } catch {
        // It ended, or belongs to somebody else.
      }
    }
  }
  return found;
}

function filesHolding(dir: string, secrets: readonly string[], except: RegExp): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || except.test(path)) continue;
    try {
      if (statSync(path).size > 64 * 1024 * 1024) continue;
      const text = readFileSync(path, 'latin1');
      if (secrets.some((secret) => text.includes(secret))) found.push(path);
    } catch {
      // Gone meanwhile.
    }
  }
  return found;
}

async function columnsHolding(secrets: readonly string[]): Promise<string[]> {
  const client = new pg.Client({ host: join(server.dir, 'data/postgres'), user: 'hangar', database: 'postgres' });
  await client.connect();
  try {
    const found: string[] = [];
    const { rows: tables } = await client.query<{ name: string }>(
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
    );
    expect(tables.length).toBeGreaterThan(15);
    for (const { name } of tables) {
      for (const secret of secrets) {
        const { rowCount } = await client.query(`select 1 from ${name} t where t::text like $1 limit 1`, [
          `%${secret}%`,
        ]);
        if (rowCount) found.push(`${name}: ${secret.slice(0, 6)}…`);
        // bytea columns print as hex.
        const hex = Buffer.from(secret).toString('hex');
        if ((await client.query(`select 1 from ${name} t where t::text like $1 limit 1`, [`%${hex}%`])).rowCount)
          found.push(`${name} (hex)`);
      }
    }
    return found;
  } finally {
    await client.end();
  }
}

async function proveNoTrace(id: string, secrets: readonly string[]): Promise<void> {
  const log = await server.hangar(['logs', id]);
  for (const secret of secrets) expect(log.stdout).not.toContain(secret);
  expect(await columnsHolding(secrets)).toEqual([]);
  // The keychain's stand-in holds the person's own API key, on purpose and for this user only.
  expect(filesHolding(server.dir, secrets, /\/(cfg\/|git\/|ssh\/|postgres\/)/)).toEqual([]);
  expect(filesHolding(join(server.dir, 'data/postgres'), secrets, /$^/)).toEqual([]);
  for (const secret of secrets) expect(server.output).not.toContain(secret);
}

const note = (into: Set<string>, found: readonly string[]) => {
  for (const entry of found) into.add(entry);
};

async function runTo(id: string, watch: () => void): Promise<{ state: string; reason: string }> {
  for (let turn = 0; turn < 600; turn++) {
    watch();
    const { stdout } = await server.hangar(['status', id, '--json']);
    const job = JSON.parse(stdout) as { state: string; reason: string; finishedAt: string | null };
    if (job.finishedAt) return job;
    await sleep(50);
  }
  throw new Error('the job did not end');
}

const SPEC = `# Look for secrets

\`\`\`sh
env | sort; cat .git/config; git remote -v; git config --list || true
cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -a ghp_ || echo nothing in environments
echo "the key is $AGENT_KEY"; printf '%s' "$AGENT_KEY" | base64 -w0; echo
find / -xdev -type f -newer .git/HEAD -size -200k 2>/dev/null | head -2000 | xargs -r grep -la -e ghp_ -e 'PRIVATE KEY' 2>/dev/null | grep -v -e /proc/ -e /usr/ || echo nothing in files
echo done > result.txt
sleep 1
\`\`\`
`;

describe('a run with a credential leaves no trace of it', () => {
  let git: GitServer | undefined;
  afterAll(() => git?.close());

  it('an HTTPS token, and a secret of the environment', async () => {
    makeRepo(join(server.dir, 'git/private'), { 'README.md': 'private\n' });
    git = await startGitServer(join(server.dir, 'git'), { user: 'x-access-token', password: TOKEN });
    const added = await server.hangar(['cloud', 'credentials', 'add', 'private', '--kind', 'https-token'], {
      input: TOKEN,
    });
    expect(added.exitCode, added.stderr).toBe(0);
    const listed = await server.hangar(['cloud', 'credentials', 'list', '--json']);
    expect(listed.stdout).toContain('private');
    expect(listed.stdout).not.toContain(TOKEN);

    const spec = join(server.dir, 'secret-spec.md');
    writeFileSync(spec, SPEC);
    const sent = await server.hangar(
      [
        'run',
        '--cloud',
        '--repo',
        `${git.url}/private/.git`,
        '--credential',
        'private',
        '--spec',
        spec,
        '--env',
        'AGENT_KEY',
        '--json',
      ],
      {
        cwd: server.dir,
        env: { AGENT_KEY: ENV_SECRET },
      },
    );
    expect(sent.exitCode, sent.stderr).toBe(0);
    const { id } = JSON.parse(sent.stdout) as { id: string };
    const holding = new Set<string>();
    const job = await runTo(id, () => note(holding, processesHolding(forms(TOKEN))));
    expect(`${job.state}: ${job.reason}`).toMatch(/^succeeded/);
    expect([...holding]).toEqual([]);
    const log = await server.hangar(['logs', id]);
    expect(log.stdout).toContain('nothing in environments');
    expect(log.stdout).toContain('nothing in files');
    expect(log.stdout).toContain('the key is ***');
    await proveNoTrace(id, [...forms(TOKEN), ...forms(ENV_SECRET), adminKey]);
  }, 120_000);

  it('a wrong token is told as such, and leaves no trace either', async () => {
    const wrong = 'ghp_WrongWrongWrongWrongWrong';
    await server.hangar(['cloud', 'credentials', 'add', 'wrong', '--kind', 'https-token'], { input: wrong });
    const sent = await server.hangar(
      [
        'run',
        '--cloud',
        '--repo',
        `${git?.url}/private/.git`,
        '--credential',
        'wrong',
        '--spec',
        join(server.dir, 'secret-spec.md'),
        '--json',
      ],
      { cwd: server.dir },
    );
    const { id } = JSON.parse(sent.stdout) as { id: string };
    const job = await runTo(id, () => undefined);
    expect(job.state).toBe('failed');
    const status = await server.hangar(['status', id, '--json']);
    expect((JSON.parse(status.stdout) as { failure: { code: string } }).failure.code).toBe('repo_auth_failed');
    await proveNoTrace(id, forms(wrong));
  }, 120_000);

  it('an SSH key', async ({ skip }) => {
    if (SSHD === undefined) return skip('there is no sshd here (openssh-server)');
    const ssh = await startSshServer(join(server.dir, 'ssh'));
    try {
      const { dir } = makeRepo(join(server.dir, 'git/by-ssh'), { 'README.md': 'by ssh\n' });
      const added = await server.hangar(['cloud', 'credentials', 'add', 'deploy', '--kind', 'ssh-key'], {
        input: ssh.privateKey,
      });
      expect(added.exitCode, added.stderr).toBe(0);
      spawnSync('git', ['config', '--global', '--add', 'safe.directory', '*'], {
        env: { ...process.env, HOME: join(server.dir, 'home') },
      });
      const sent = await server.hangar(
        [
          'run',
          '--cloud',
          '--repo',
          `ssh://${ssh.user}@127.0.0.1:${ssh.port}${dir}`,
          '--credential',
          'deploy',
          '--spec',
          join(server.dir, 'secret-spec.md'),
          '--json',
        ],
        { cwd: server.dir },
      );
      expect(sent.exitCode, sent.stderr).toBe(0);
      const { id } = JSON.parse(sent.stdout) as { id: string };
      const body = ssh.privateKey.split('\n').slice(1, 3);
      const holding = new Set<string>();
      const job = await runTo(id, () => note(holding, processesHolding(body)));
      expect(`${job.state}: ${job.reason}`).toMatch(/^succeeded/);
      expect([...holding]).toEqual([]);
      await proveNoTrace(id, body);
    } finally {
      await ssh.close();
    }
  }, 120_000);
});
