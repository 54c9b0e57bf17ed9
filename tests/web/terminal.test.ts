import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, ServerProcess } from '../e2e/server-process.ts';
import { accessibilityProblems } from './accessibility.ts';
import { type Browser, chromiumPath, NO_CHROMIUM, openBrowser } from './browser.ts';
import { photograph, SCHEMES, turn } from './look.ts';

const isBuilt =
  existsSync(join(ROOT, 'apps/server/dist/main.mjs')) && existsSync(join(ROOT, 'apps/web/dist/index.html'));
const missing = ['vim', 'htop', 'script', 'bash'].filter(
  (program) => !(process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program))),
);
const skip =
  chromiumPath === undefined
    ? NO_CHROMIUM
    : !isBuilt
      ? 'skipped: server or web app is not built (make build)'
      : missing.length > 0
        ? `skipped: this machine lacks ${missing.join(', ')}`
        : null;
if (skip) console.warn(`terminals in the web app: ${skip}`);

/** A shell waits for a line. */
const PROMPT = /^\w+@\S*[$#]$/m;
const WAIT = { timeout: 60_000 };
/** What the screen of the terminal that is shown has on it. */
const SCREEN = `[...document.querySelectorAll('[data-terminals] .xterm-rows')]
  .filter((rows) => rows.checkVisibility())
  .flatMap((rows) => [...rows.children].map((row) => row.textContent.replaceAll('\\u00a0', ' ').trimEnd()))
  .join('\\n')`;

describe.skipIf(skip !== null)('terminals on the page of a sandbox', () => {
  let server: ServerProcess;
  let browser: Browser;
  let page: Page;
  let sandbox = '';
  let folder = '';
  const problems: string[] = [];
  const sockets: string[] = [];

  beforeAll(async () => {
    server = await (await ServerProcess.make()).start();
    await server.signIn();
    const opened = await server.hangar(['sandbox', 'open', '--name', 'by hand', '--json']);
    if (opened.exitCode !== 0) throw new Error(opened.stderr);
    sandbox = (JSON.parse(opened.stdout) as { id: string }).id;
    folder = (await server.hangar(['sandbox', 'exec', sandbox, '--', 'pwd'])).stdout.trim();
    browser = await openBrowser(chromiumPath ?? '');
    await browser.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.url });
    page = await browser.context.newPage();
    await page.setViewportSize({ width: 1280, height: 800 });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on('websocket', (socket) => void sockets.push(socket.url()));
    await page.goto(/http\S+\/sign-in\/link#\S+/.exec(server.output)?.[0] ?? '');
    await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await server?.remove();
  });

  const screen = (on = page) => on.evaluate<string>(SCREEN);
  const shows = (text: string | RegExp, on = page) =>
    expect
      .poll(() => screen(on), WAIT)
      .toMatch(typeof text === 'string' ? new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')) : text);
  async function enter(line: string, on = page): Promise<void> {
    await on.keyboard.type(line);
    await on.keyboard.press('Enter');
  }
  const status = (on = page) => on.locator('[data-terminals] [role=status]');
  /** What is in a file of the machine; nothing while it is not there. */
  async function file(name: string): Promise<string> {
    const run = await server.hangar(['sandbox', 'exec', sandbox, '--', 'sh', '-c', 'cat -- "$1" || true', 'sh', name]);
    if (run.exitCode !== 0) throw new Error(run.stderr);
    return run.stdout;
  }

  it('a terminal is opened, takes what is typed and shows what it prints', async () => {
    await page.goto(`${server.url}/sandboxes/${sandbox}`);
    expect(sockets).toEqual([]);
    await page.getByRole('tab', { name: 'Terminal' }).click();
    await page.getByRole('button', { name: 'Open a terminal' }).click();
    await status().getByText('Connected').waitFor();
    await page.waitForURL(/[?&]terminal=e_/);
    // The prompt is there: what is typed before goes in as well, but is seen twice.
    await shows(PROMPT);
    await enter('echo "sum: $((6 * 7))"; pwd > where');
    await shows('sum: 42');
    await expect.poll(() => file('where'), WAIT).toBe(folder);
  }, 120_000);

  it('Ctrl-C, Tab and the arrows go to the shell', async () => {
    // A terminal drops what was typed before Ctrl-C and not read yet.
    await enter('echo sleeping | tr a-z A-Z; sleep 1000');
    await shows(/^SLEEPING$/m);
    await page.keyboard.press('Control+c');
    await shows(/\^C\n.*[$#]$/m);
    await enter('echo "ended with $?"');
    await shows('ended with 130');
    await enter(': > a-long-name-of-a-file');
    await page.keyboard.type('echo found=a-long');
    await page.keyboard.press('Home');
    await page.keyboard.press('End');
    await page.keyboard.type(' a-lo');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await shows('found=a-long a-long-name-of-a-file');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.type(' again');
    await page.keyboard.press('Enter');
    await shows(/^found=a-long a-long-name-of-a-file again$/m);
  }, 120_000);

  it('a title that a program sets names it, and it goes on as it is', async () => {
    const before = sockets.length;
    await enter(`printf '\\033]2;a build\\007'; echo titled | rev`);
    await shows(/^deltit$/m);
    await page.getByRole('button', { name: 'a build' }).waitFor();
    await enter(`printf '\\033]2;\\007'; echo taken back | rev`);
    await shows(/^kcab nekat$/m);
    await page.getByRole('button', { name: 'Terminal 1', exact: true }).waitFor();
    expect(sockets.length).toBe(before);
  }, 120_000);

  it('what is pasted waits for Enter, and what is selected is copied', async () => {
    await page.evaluate(`navigator.clipboard.writeText('echo one\\necho two')`);
    await page.keyboard.press('Control+Shift+v');
    await shows(/echo one\n.*echo two/);
    expect(await screen()).not.toMatch(/^one$/m);
    await page.keyboard.press('Control+c');
    await shows(/echo two\^C\n.*[$#]$/m);
    await enter('clear; printf "copy-%s\\n" me');
    await shows(/^copy-me$/m);
    const line = page.locator('.xterm-rows > div', { hasText: /^copy-me/ });
    const { x = 0, y = 0 } = (await line.boundingBox()) ?? {};
    await page.mouse.dblclick(x + 10, y + 8);
    await page.keyboard.press('Control+c');
    await expect.poll(() => page.evaluate('navigator.clipboard.readText()'), WAIT).toContain('copy');
    // The selection is gone: the next one interrupts again, and the shell is as it was.
    await enter('echo still-here | rev');
    await shows(/^ereh-llits$/m);
  }, 120_000);

  it('vim edits and saves a file, and is there again after a reload in its middle', async () => {
    await enter('clear; vim -u NONE -N notes.txt');
    await shows('"notes.txt" [New]');
    await page.keyboard.type('iwritten in vim');
    await page.keyboard.press('Enter');
    await page.keyboard.type('second line');
    await shows(/^written in vim\nsecond line\n~/m);
    const before = await screen();
    const address = page.url();
    await page.reload();
    await status().getByText('Connected').waitFor();
    await expect.poll(() => screen(), WAIT).toBe(before);
    expect(page.url()).toBe(address);
    // It is still in insert mode, and nothing that a terminal answers was typed into it.
    await page.keyboard.type(', after a reload');
    await shows(/^written in vim\nsecond line, after a reload\n~/m);
    await page.keyboard.press('Escape');
    await enter(':wq');
    await shows(PROMPT);
    await expect.poll(() => file('notes.txt'), WAIT).toBe('written in vim\nsecond line, after a reload');
  }, 180_000);

  it('htop draws, and ends with its key', async () => {
    await enter('clear; htop');
    await shows(/PID.*USER.*\n/);
    await shows(/F10Quit|F10 ?Quit/);
    await photograph(page, 'pages/sandbox-terminal-htop.1280.light', []);
    await page.keyboard.press('q');
    await expect.poll(() => screen(), WAIT).not.toMatch(/F10/);
    await shows(PROMPT);
    await enter('echo after-"htop"');
    await shows(/^after-htop$/m);
  }, 120_000);

  it('its size follows the window', async () => {
    const size = async () => {
      const name = `size-${Date.now()}`;
      await enter(`stty size > ${name}`);
      await expect.poll(() => file(name), WAIT).toMatch(/^\d+ \d+$/);
      return (await file(name)).split(' ').map(Number);
    };
    const [rows = 0, columns = 0] = await size();
    expect([rows > 10, columns > 100]).toEqual([true, true]);
    await page.setViewportSize({ width: 760, height: 620 });
    await expect.poll(async () => (await size())[1], WAIT).toBeLessThan(columns);
    await page.setViewportSize({ width: 1280, height: 800 });
    await expect.poll(() => size(), WAIT).toEqual([rows, columns]);
  }, 180_000);

  it('several are open at once, are joined from another page, left by keyboard, and go on', async () => {
    await page.getByRole('button', { name: 'New terminal' }).click();
    await page.waitForURL(/terminals=e_/);
    await shows(PROMPT);
    await enter('echo "the second" | tr a-z A-Z');
    await shows('THE SECOND');
    const second = new URL(page.url()).searchParams.get('terminal') ?? '';
    await page.keyboard.press('Control+Shift+l');
    const focused = () => page.evaluate('document.activeElement?.getAttribute("aria-current")');
    await expect.poll(focused).toBe('true');

    const other = await browser.context.newPage();
    await other.goto(`${server.url}/sandboxes/${sandbox}?tab=terminal`);
    const running = other.getByRole('region', { name: 'Also running' });
    await expect.poll(() => running.getByRole('button', { name: 'Join' }).count(), WAIT).toBe(2);
    await running.getByRole('button', { name: 'Join' }).first().click();
    await shows('THE SECOND', other);
    expect(new URL(other.url()).searchParams.get('terminal')).toBe(second);
    await enter('echo from the other page | tr a-z A-Z', other);
    await shows('FROM THE OTHER PAGE', other);
    await shows('FROM THE OTHER PAGE');
    await other.close();

    await page.getByRole('button', { name: 'Leave' }).click();
    await shows('after-htop');
    expect(await page.getByRole('region', { name: 'Also running' }).getByRole('button', { name: 'Join' }).count()).toBe(
      1,
    );
  }, 180_000);

  it('goes on after the server was killed and came back, without a byte lost or typed twice', async () => {
    await enter('clear');
    await server.kill('SIGKILL');
    await status().getByText('Reconnecting').waitFor();
    await page.keyboard.type('echo typed while away | tr a-z A-Z');
    await server.start();
    await status().getByText('Connected').waitFor({ timeout: 90_000 });
    await page.keyboard.press('Enter');
    await shows(/^TYPED WHILE AWAY$/m);
    expect((await screen()).match(/TYPED WHILE AWAY/g)).toHaveLength(1);
  }, 240_000);

  it('nothing is in the way of anybody, in light and dark', async () => {
    for (const scheme of SCHEMES) {
      await turn(page, scheme);
      const found = await accessibilityProblems(page, scheme === 'light' ? 'everything' : 'colours');
      await photograph(page, `pages/sandbox-terminal.1280.${scheme}`, found);
      expect(found).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.getByRole('switch', { name: 'For screen readers' }).click();
    await page.locator('.xterm-accessibility-tree').getByText('TYPED WHILE AWAY', { exact: true }).waitFor();
    expect(await accessibilityProblems(page, 'everything')).toEqual([]);
    await page.getByRole('switch', { name: 'For screen readers' }).click();
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate('document.scrollingElement.scrollWidth - innerWidth')).toBe(0);
    await photograph(page, 'pages/sandbox-terminal.390.light', []);
    await page.setViewportSize({ width: 1280, height: 800 });
  }, 120_000);

  it('says how the shell ended, and opens another', async () => {
    await page.locator('.xterm-screen').first().click();
    await enter('exit 3');
    await status().getByText('Ended (exit code 3)').waitFor();
    await page.getByRole('button', { name: 'Open another' }).click();
    await status().getByText('Connected').waitFor();
    await shows(PROMPT);
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByRole('button', { name: 'End the terminal' }).click();
    await status()
      .getByText(/^Ended/)
      .waitFor();
  }, 120_000);

  it('asked for no more than its own sockets, and had no error in the console but of the server that was away', () => {
    expect(new Set(sockets.map((url) => new URL(url).pathname))).toEqual(new Set(['/api/drivers/terminal']));
    expect(
      problems.filter((problem) => !/ERR_CONNECTION|Failed to load resource|WebSocket connection/.test(problem)),
    ).toEqual([]);
  });
});
