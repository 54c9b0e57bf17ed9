import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGitServer } from '../../packages/worker/src/testing/git-server.ts';
import { makeRepo, ROOT, ServerProcess } from '../e2e/server-process.ts';
import { accessibilityProblems } from './accessibility.ts';
import { type Browser, chromiumPath, NO_CHROMIUM, openBrowser } from './browser.ts';
import { photograph, SCHEMES, type Scheme, turn } from './look.ts';

const isBuilt =
  existsSync(join(ROOT, 'apps/server/dist/main.mjs')) && existsSync(join(ROOT, 'apps/web/dist/index.html'));
const skip =
  chromiumPath === undefined ? NO_CHROMIUM : isBuilt ? null : 'skipped: server or web app is not built (make build)';
if (skip) console.warn(`every page on a real server: ${skip}`);

const GOOD = `# Add a search page

Count what there is, then write the page.

\`\`\`sh
for i in 1 2 3; do printf '\\033[32mok\\033[0m step %s of 3\\n' $i; sleep 0.1; done
echo 'a warning on stderr' >&2
mkdir -p src/search
printf 'export function search(text: string): string[] {\\n  return [text];\\n}\\n' > src/search/search.ts
sed -i 's/A repository/A repository with search/' README.md
echo "report" > "$HANGAR_ARTIFACTS/report.txt"
\`\`\`
`;
const BAD =
  '# Break the build\n\n```sh\necho "compiling"; echo "error: cannot find module left-pad" >&2; echo half > half.txt; exit 3\n```\n';
const LONG =
  '# Wait for a long time\n\n```sh\ni=0; while [ $i -lt 600 ]; do echo "working on part $i"; i=$((i+1)); sleep 0.2; done\n```\n';

/** What is looked at: a name, a path, and what must be there before. */
type Shot = [name: string, path: string, ready: string | RegExp];

const HAS_BLANK_LOG = `[...document.querySelectorAll('[role=log]')].some((log) => {
  const lines = [...log.querySelectorAll('[data-n]')].map((line) => line.getBoundingClientRect());
  const { top, bottom } = log.getBoundingClientRect();
  return lines.length > 0 && !lines.some((line) => line.bottom > top && line.top < bottom);
})`;

describe.skipIf(skip !== null)('every page on a real server', () => {
  let server: ServerProcess;
  let browser: Browser;
  const ids = { good: '', bad: '', long: '', sandbox: '', terminal: '' };

  async function send(name: string, spec: string): Promise<string> {
    const repo = join(server.dir, 'website');
    if (!existsSync(repo))
      await makeRepo(repo, { 'README.md': '# A repository\n\nSome words.\n', 'src/main.ts': 'console.log(1);\n' });
    const file = join(server.dir, `${name}.md`);
    writeFileSync(file, spec);
    const { stdout } = await server.hangar(['run', '--cloud', '--spec', file, '--json'], { cwd: repo });
    return (JSON.parse(stdout) as { id: string }).id;
  }

  beforeAll(async () => {
    server = await (await ServerProcess.make({ HANGAR_DEMO: 'true' })).start();
    const key = await server.signIn();
    ids.good = await send('good', GOOD);
    ids.bad = await send('bad', BAD);
    ids.long = await send('long', LONG);
    const sent = await server.hangar(
      [
        ...['run', '--cloud', '--spec', join(server.dir, 'good.md'), '--group', 'search-page'],
        ...['--agents', 'shell', '--agents', "sh -c 'mkdir -p src/search && echo slow > src/search/search.ts'"],
        ...['--agents', "sh -c 'echo cannot do it >&2; exit 4'", '--wait'],
      ],
      { cwd: join(server.dir, 'website') },
    );
    if (sent.exitCode !== 5) throw new Error(`the group did not end as it should: ${sent.stderr}`);
    const opened = await server.hangar(['sandbox', 'open', '--name', 'by hand', '--json']);
    ids.sandbox = (JSON.parse(opened.stdout) as { id: string }).id;
    await server.hangar([
      'sandbox',
      'exec',
      ids.sandbox,
      '--',
      'sh',
      '-c',
      'echo built; mkdir -p build; : > report.txt',
    ]);
    const shell = await fetch(`${server.url}/api/drivers/execute`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ sandbox: ids.sandbox, command: ['sh', '-c', 'echo "a shell that waits"; exec sh'] },
        terminal: { columns: 80, rows: 24 },
      }),
    });
    ids.terminal = ((await shell.json()) as { id: string }).id;
    for (const id of [ids.good, ids.bad]) {
      const deadline = Date.now() + 60_000;
      while (Date.now() < deadline) {
        const job = (await (
          await fetch(`${server.url}/api/jobs/${id}`, { headers: { authorization: `Bearer ${key}` } })
        ).json()) as { finishedAt: string | null };
        if (job.finishedAt) break;
        await sleep(100);
      }
    }
    browser = await openBrowser(chromiumPath ?? '');
    const page = await browser.context.newPage();
    await page.goto(/http\S+\/sign-in\/link#\S+/.exec(server.output)?.[0] ?? '');
    await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
    await page.close();
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await server?.remove();
  });

  const shots = (): Shot[] => [
    ['jobs', '/jobs', 'Add a search page'],
    ['jobs-empty', '/jobs?search=nothing-like-this', /no job/i],
    ['job-log', `/jobs/${ids.good}`, 'step 3 of 3'],
    ['job-diff', `/jobs/${ids.good}?tab=diff`, 'search.ts'],
    ['job-artifacts', `/jobs/${ids.good}?tab=artifacts`, 'report.txt'],
    ['job-spec', `/jobs/${ids.good}?tab=spec`, 'Count what there is'],
    ['job-details', `/jobs/${ids.good}?tab=details`, 'checkout'],
    ['job-failed', `/jobs/${ids.bad}`, 'left-pad'],
    ['job-running', `/jobs/${ids.long}`, 'working on part'],
    ['job-new', '/jobs/new', 'Spec'],
    ['job-new-in-sandbox', `/jobs/new?sandbox=${ids.sandbox}`, 'the job works in a folder of its own'],
    ['jobs-group', '/jobs?group=search-page', 'Sent together'],
    ['compare', '/compare?group=search-page', 'changed in 2 ways'],
    ['operations', '/operations', 'Add a search page'],
    ['kubernetes', '/operations/kubernetes', 'Sample data'],
    ['kubernetes-nodes', '/operations/kubernetes/nodes', 'nvidia.com/gpu'],
    ['kubernetes-pods', '/operations/kubernetes/pods?status=failing', 'CrashLoopBackOff'],
    ['kubernetes-pod', '/operations/kubernetes/pods/data/postgres-0', 'sample line'],
    ['sandboxes', '/sandboxes', 'by hand'],
    ['sandbox', `/sandboxes/${ids.sandbox}`, 'echo built'],
    ['sandbox-terminals', `/sandboxes/${ids.sandbox}?tab=terminal`, 'Also running'],
    ['sandbox-terminal', `/sandboxes/${ids.sandbox}?tab=terminal&terminal=${ids.terminal}`, 'a shell that waits'],
    ['sandbox-files', `/sandboxes/${ids.sandbox}?tab=files`, 'report.txt'],
    ['sandbox-machine', `/sandboxes/${ids.sandbox}?tab=machine`, 'Kernel'],
    ['sandbox-details', `/sandboxes/${ids.sandbox}?tab=details`, 'Last activity'],
    ['device', '/device', 'Code'],
    ['docs', '/docs', 'Send a job'],
    ['settings-you', '/settings', 'Password'],
    ['settings-use', '/settings/use', 'Standard'],
    ['settings-devices', '/settings/devices', 'Devices'],
    ['settings-keys', '/settings/keys', 'admin-key'],
    ['settings-credentials', '/settings/credentials', 'Credentials'],
    ['settings-profiles', '/settings/profiles', 'local'],
    ['settings-people', '/settings/people', 'Admin'],
    ['settings-plans', '/settings/plans', 'Standard'],
  ];

  for (const width of [1280, 390]) {
    it(`at ${width} px, light and dark: no error in the console, no scrolling sideways, nothing in the way of anybody`, async () => {
      const page = await browser.context.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
      await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
      for (const shot of shots()) problems.push(...(await look(page, shot, width)));
      await page.close();
      expect(problems).toEqual([]);
    }, 480_000);
  }

  it('ticked jobs are set side by side, and a file of theirs is looked at', async () => {
    const page = await browser.context.newPage();
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(`${server.url}/jobs?group=search-page`);
    const ticks = page.getByRole('checkbox');
    await ticks.first().waitFor();
    await ticks.nth(1).check();
    await ticks.nth(2).check();
    await page.getByRole('link', { name: 'Compare' }).click();
    await page.waitForURL(/\/compare\?ids=j_\w+(%2C|,)j_\w+$/);
    // In the list of files; which of them is shown already depends on the two that were ticked.
    await page
      .getByRole('rowheader')
      .getByRole('button', { name: /README\.md/ })
      .click();
    await page.getByRole('region', { name: 'Changes of README.md' }).getByText('with search').first().waitFor();
    await page.getByText('changed in one way').waitFor();
    const pull = await page.locator('code', { hasText: 'hangar pull' }).first().textContent();
    await page.goto(`${server.url}/jobs/${pull?.split(' ').at(-1)}`);
    await page.getByRole('link', { name: 'Compare with the 2 others of search-page' }).click();
    await page.waitForURL(/\/compare\?group=search-page$/);
    await page.close();
  }, 60_000);

  it('a job is sent into an open sandbox from the page of that, and found again among what runs in it', async () => {
    const repos = await startGitServer(server.dir, null);
    const page = await browser.context.newPage();
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(`${server.url}/sandboxes/${ids.sandbox}`);
    await page.getByRole('link', { name: 'Run a job in it' }).click();
    await page.waitForURL(`${server.url}/jobs/new?sandbox=${ids.sandbox}`);
    await page.getByLabel('Repository').fill(`${repos.url}/website/.git`);
    await page.getByLabel('Spec').fill('# Look around\n\n```sh\necho "looked around"\n```\n');
    await page.getByRole('combobox', { name: 'Sandbox' }).click();
    await page.getByRole('option', { name: `${ids.sandbox} on local, running` }).click();
    await page.getByRole('button', { name: 'Send job' }).click();
    await page.waitForURL(/\/jobs\/j_\w+$/);
    const job = page.url();
    await page.getByText('Succeeded').first().waitFor();
    await page.getByRole('link', { name: ids.sandbox }).click();
    await page.waitForURL(`${server.url}/sandboxes/${ids.sandbox}`);
    await page.getByRole('button', { name: `Worker of ${job.split('/').at(-1)}` }).click();
    await page.getByRole('link', { name: 'Open job' }).click();
    await page.waitForURL(job);
    await page.close();
    await repos.close();
  }, 240_000);

  it('an admin makes a plan and gives it to a person; it counts at the next submit', async () => {
    const page = await browser.context.newPage();
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(`${server.url}/settings/plans`);
    await page.getByRole('button', { name: 'New plan' }).click();
    await page.getByLabel('Title').fill('Small');
    await page.getByLabel('Short name').fill('small');
    await page.getByLabel('Jobs at once').fill('1');
    await page.getByLabel('Jobs waiting').fill('1');
    await page.getByRole('button', { name: 'Save plan' }).click();
    await page.getByRole('cell', { name: 'Small small' }).waitFor();
    await page.goto(`${server.url}/settings/people`);
    await page
      .getByRole('button', { name: /^Change / })
      .first()
      .click();
    await page.getByRole('menuitem', { name: 'Small' }).click();
    await page.getByRole('cell', { name: 'Small' }).waitFor();
    const sent = await server.hangar(
      ['run', '--cloud', '--spec', join(server.dir, 'long.md'), '--times', '4', '--group', 'too-many'],
      { cwd: join(server.dir, 'website') },
    );
    expect(sent.exitCode).toBe(2);
    expect(sent.stderr).toContain('your plan allows 1');

    await page.goto(`${server.url}/settings/plans`);
    await page.getByRole('row', { name: /Small/ }).getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('Jobs waiting').fill('20');
    await page.getByRole('button', { name: 'Save plan' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    const again = await server.hangar(
      ['run', '--cloud', '--spec', join(server.dir, 'long.md'), '--times', '4', '--group', 'enough'],
      { cwd: join(server.dir, 'website') },
    );
    expect(again.exitCode).toBe(0);
    await page.close();
  }, 90_000);

  it('an action does nothing to a page that was left; its notice waits while somebody is in it, and says what failed', async () => {
    const page = await browser.context.newPage();
    await page.clock.install();
    const answers: (() => void)[] = [];
    await page.route('**/api/jobs/*/retry', async (route) => {
      await new Promise<void>((done) => answers.push(done));
      await route.continue();
    });
    await page.route('**/api/jobs/*/cancel', (route) =>
      route.fulfill({
        status: 503,
        json: { code: 'database_unavailable', message: 'The database does not answer.', wayOut: 'Try again soon.' },
      }),
    );
    await page.goto(`${server.url}/jobs/${ids.bad}`);
    await page.getByRole('button', { name: 'Retry', exact: true }).first().click();
    await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'Operations' }).first().click();
    await page.waitForURL(/\/operations$/);
    await expect.poll(() => answers.length).toBe(1);
    answers[0]?.();
    const notices = page.getByRole('region', { name: 'Notices' });
    await notices.getByText('Sent again as').waitFor();
    expect(new URL(page.url()).pathname).toBe('/operations');

    await page.keyboard.press('F8');
    const undo = notices.getByRole('button', { name: 'Undo' });
    await expect.poll(() => page.evaluate('document.activeElement?.textContent')).toBe('Undo');
    await page.clock.fastForward(120_000);
    await undo.waitFor();
    await page.keyboard.press('Enter');
    await notices.getByText('is not cancelled').waitFor();
    await page.keyboard.press('F8');
    const isIn = `document.activeElement?.closest('[aria-label^="Notices"]') !== null`;
    await expect.poll(() => page.evaluate(isIn)).toBe(true);
    await page.keyboard.press('Escape');
    await notices.getByText('is not cancelled').waitFor({ state: 'detached' });
    await page.close();
  }, 120_000);

  it('lines of a log are linked to by keyboard, and single keys can be turned off', async () => {
    const page = await browser.context.newPage();
    await page.goto(`${server.url}/jobs/${ids.good}`);
    await page.getByText('step 3 of 3').first().waitFor();
    await page.getByRole('log').focus();
    await page.keyboard.press('Tab');
    const line = () => page.evaluate<string | undefined>('document.activeElement?.dataset.line');
    await expect.poll(line).toBeDefined();
    const first = Number(await line());
    expect(first).toBeGreaterThan(0);
    await page.keyboard.press('ArrowDown');
    await expect.poll(async () => Number(await line())).toBe(first + 1);
    await page.keyboard.press('Enter');
    await page.waitForURL(new RegExp(`#L${first + 1}$`));

    await page.goto(`${server.url}/settings`);
    await page.getByLabel('Single keys do something').uncheck();
    await page.keyboard.press('Tab');
    for (const key of ['g', 'o', '?', 'n']) await page.keyboard.press(key);
    expect(new URL(page.url()).pathname).toBe('/settings');
    expect(await page.getByRole('dialog').count()).toBe(0);
    await page.reload();
    await page.getByLabel('Single keys do something').check();
    await page.keyboard.press('Tab');
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.waitForURL(/\/operations$/);
    await page.close();
  }, 120_000);

  /** Loads a page in light, looks at it, and again after the scheme of the system has become dark. */
  async function look(page: Page, [name, path, ready]: Shot, width: number): Promise<string[]> {
    const problems: string[] = [];
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    await page.goto(`${server.url}${path}`);
    await page
      .getByText(ready)
      .filter({ visible: true })
      .first()
      .waitFor()
      .catch(() => problems.push(`no ${ready}`));
    await page.waitForTimeout(300);
    for (const scheme of SCHEMES) {
      await turn(page, scheme);
      const found = await problemsOf(page, name, width, scheme);
      problems.push(...found.map((problem) => `${scheme}: ${problem}`));
      await photograph(page, `pages/${name}.${width}.${scheme}`, found);
    }
    return problems.map((problem) => `${name} at ${width} px: ${problem}`);
  }

  async function problemsOf(page: Page, name: string, width: number, scheme: Scheme): Promise<string[]> {
    const problems: string[] = [];
    const sideways = await page.evaluate<number>('document.scrollingElement.scrollWidth - innerWidth');
    if (sideways > 0) problems.push(`${sideways} px too wide`);
    if (await page.evaluate<boolean>(HAS_BLANK_LOG)) problems.push('lines of the log are out of sight');
    // One width is enough for axe-core. The page of the API is Swagger UI's as it comes; the same is in docs/openapi.json.
    if (width === 390 || name === 'docs') return problems;
    return [...problems, ...(await accessibilityProblems(page, scheme === 'light' ? 'everything' : 'colours'))];
  }
});
