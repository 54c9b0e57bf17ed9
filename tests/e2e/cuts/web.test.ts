import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, chromiumPath, NO_CHROMIUM, openBrowser } from '../../web/browser.ts';
import { ROOT } from '../server-process.ts';
import { CUT_MS, CUT_TEST_MS } from './cut-length.ts';
import { CutProxy } from './proxy.ts';
import { counting, ServerHere } from './server-here.ts';

const isBuilt = existsSync(join(ROOT, 'apps/web/dist/index.html'));
const skip =
  chromiumPath === undefined ? NO_CHROMIUM : isBuilt ? null : 'skipped: the web app is not built (make build)';
if (skip) console.warn(`the link between page and server: ${skip}`);

const LINES = Math.ceil((2 * CUT_MS + 25_000) / 100);

/** Line number and text of every row that is drawn. */
const ROWS = `[...document.querySelectorAll('[data-n]')].map((row) => [Number(row.dataset.n), row.innerText])`;
const SCROLL = `(by) => {
  let at = document.querySelector('[data-n]');
  while (at && at.scrollHeight <= at.clientHeight + 1) at = at.parentElement;
  if (!at) return true;
  at.scrollTop = by === null ? 0 : at.scrollTop + by;
  return at.scrollTop + at.clientHeight >= at.scrollHeight - 1;
}`;

/** The whole log as the page shows it, from its first row to its last. */
async function readRows(page: Page): Promise<Map<number, string>> {
  const rows = new Map<number, string>();
  await page.evaluate(`(${SCROLL})(null)`);
  for (let turn = 0; turn < 400; turn++) {
    await page.waitForTimeout(60);
    for (const [n, text] of await page.evaluate<[number, string][]>(ROWS)) rows.set(n, text);
    if (await page.evaluate<boolean>(`(${SCROLL})(200)`)) break;
  }
  await page.waitForTimeout(200);
  for (const [n, text] of await page.evaluate<[number, string][]>(ROWS)) rows.set(n, text);
  return rows;
}

describe.skipIf(skip !== null)('the link between page and server', () => {
  let server: ServerHere;
  let over: CutProxy;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    server = await ServerHere.start();
    over = await CutProxy.open({ port: server.cli.port });
    browser = await openBrowser(chromiumPath ?? '');
    page = await browser.context.newPage();
    await page.goto(server.signInLink().replace(server.cli.url, over.url));
    await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await over?.close();
    await server?.close();
  });

  it(
    'says reconnecting while it is, not longer, and the log goes on without a gap',
    async () => {
      const id = await server.send(counting(LINES, 0.1));
      await page.goto(`${over.url}/jobs/${id}`);
      await page.getByText('line 10', { exact: true }).first().waitFor({ timeout: 30_000 });
      const line = page.getByText(/^reconnecting, data from \d\d:\d\d:\d\d/);
      const notice = page.getByText(/^Reconnecting\. Lines up to \d\d:\d\d:\d\d/);
      expect(await line.count()).toBe(0);
      expect(await notice.count()).toBe(0);

      over.cut();
      await line.waitFor();
      await notice.waitFor();
      await sleep(CUT_MS);
      expect(await line.count()).toBe(1);
      over.heal();
      await line.waitFor({ state: 'detached', timeout: 40_000 });
      await notice.waitFor({ state: 'detached', timeout: 40_000 });
      // Whichever rows are drawn when it is back: how soon that is, the pauses say, which are never quite the same.
      const newest = async () => Math.max(0, ...(await page.evaluate<[number, string][]>(ROWS)).map(([n]) => n));
      await expect.poll(newest, { timeout: 30_000 }).toBeGreaterThan(Math.ceil(CUT_MS / 100) + 20);

      // No error tells of this one: only that nothing comes any more.
      over.silence();
      await sleep(CUT_MS);
      await line.waitFor({ timeout: 60_000 });
      over.heal();
      await line.waitFor({ state: 'detached', timeout: 60_000 });
      await server.ended(id);
      await page.getByText('Succeeded').first().waitFor({ timeout: 30_000 });
      await notice.waitFor({ state: 'detached', timeout: 60_000 });
      await page.getByText(`line ${LINES}`, { exact: true }).waitFor({ timeout: 60_000 });

      const rows = [...(await readRows(page))].sort(([a], [b]) => a - b);
      const lines = rows.flatMap(([, text]) => /line \d+$/.exec(text.trim())?.[0] ?? []);
      expect(lines).toEqual(Array.from({ length: LINES }, (_, index) => `line ${index + 1}`));
      expect(rows.map(([n]) => n)).toEqual(rows.map((_, index) => index + 1));
    },
    CUT_TEST_MS + CUT_MS,
  );
});
