import { existsSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRepo, ROOT, ServerProcess } from '../e2e/server-process.ts';
import { type Browser, chromiumPath, NO_CHROMIUM, openBrowser } from './browser.ts';

const isBuilt =
  existsSync(join(ROOT, 'apps/server/dist/main.mjs')) && existsSync(join(ROOT, 'apps/web/dist/index.html'));
const skip =
  chromiumPath === undefined ? NO_CHROMIUM : isBuilt ? null : 'skipped: server or web app is not built (make build)';
if (skip) console.warn(`many tabs: ${skip}`);

const COUNT =
  '# Count\n\n```sh\ni=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo "counted to $i"; sleep 0.1; done\n```\n';
const TABS = 8;

/** Passes everything on to the server, over HTTP/1.1, and keeps the paths of the streams that are open. */
async function countingProxy(target: string): Promise<{ origin: string; streams: Set<string>; server: Server }> {
  const streams = new Map<object, string>();
  const server = createServer((asked, answer) => {
    const passed = request(`${target}${asked.url}`, { method: asked.method, headers: asked.headers }, (given) => {
      if (given.headers['content-type']?.startsWith('text/event-stream')) {
        streams.set(answer, asked.url ?? '');
        answer.once('close', () => streams.delete(answer));
      }
      answer.writeHead(given.statusCode ?? 502, given.headers);
      given.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    answer.once('close', () => passed.destroy());
    asked.pipe(passed);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    server,
    get streams() {
      return new Set([...streams.values()].sort());
    },
  };
}

/** In the page: as when another tab lies over it, which a browser without windows does not do by itself. */
const shown = (page: Page, isShown: boolean) =>
  page.evaluate(`
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => ${isShown ? "'visible'" : "'hidden'"} });
    document.dispatchEvent(new Event('visibilitychange'));
  `);

describe.skipIf(skip !== null)('eight tabs of one browser', () => {
  let server: ServerProcess;
  let proxy: Awaited<ReturnType<typeof countingProxy>>;
  let browser: Browser;
  const jobs: string[] = [];
  let tabs: Page[] = [];

  beforeAll(async () => {
    server = await (await ServerProcess.make({ HANGAR_DEMO: 'true' })).start();
    await server.signIn();
    const repo = join(server.dir, 'website');
    await makeRepo(repo, { 'README.md': '# A repository\n' });
    writeFileSync(join(server.dir, 'count.md'), COUNT);
    for (let n = 0; n < 2; n += 1) {
      const { stdout } = await server.hangar(['run', '--cloud', '--spec', join(server.dir, 'count.md'), '--json'], {
        cwd: repo,
      });
      jobs.push((JSON.parse(stdout) as { id: string }).id);
    }
    proxy = await countingProxy(server.url);
    browser = await openBrowser(chromiumPath ?? '');
    // Nine pages at once take their time on a busy machine.
    browser.context.setDefaultTimeout(60_000);
    const page = await browser.context.newPage();
    const link = /\/sign-in\/link#\S+/.exec(server.output)?.[0] ?? '';
    await page.goto(`${proxy.origin}${link}`);
    await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
    await page.close();
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    proxy?.server.closeAllConnections();
    proxy?.server.close();
    await server?.remove();
  });

  /** Up to where the log that a tab shows has come. */
  const counted = (page: Page) =>
    page.evaluate<number>(
      `Math.max(0, ...[...document.querySelectorAll('[data-n]')].map((row) => Number(/counted to (\\d+)/.exec(row.textContent)?.[1] ?? 0)))`,
    );
  async function goesOn(page: Page): Promise<void> {
    await page
      .getByText(/counted to \d+/)
      .first()
      .waitFor();
    const from = await counted(page);
    await expect.poll(() => counted(page), { timeout: 60_000 }).toBeGreaterThan(from);
  }
  const live = (id: string) => ['/api/events', `/api/jobs/${id}/logs?follow=true`];

  it('all show new lines of a log, over one stream, and all can load a page', async () => {
    const [id = ''] = jobs;
    tabs = await Promise.all(Array.from({ length: TABS }, () => browser.context.newPage()));
    await Promise.all(tabs.map((page) => page.goto(`${proxy.origin}/jobs/${id}`)));
    await Promise.all(tabs.map(goesOn));
    expect([...proxy.streams]).toEqual(live(id));
    // While all of them hold what they hold.
    const another = await browser.context.newPage();
    await another.goto(`${proxy.origin}/operations`);
    await another.getByRole('heading', { name: 'Activity' }).waitFor();
    await another.close();
    await Promise.all(tabs.map((page) => page.reload()));
    await Promise.all(tabs.map(goesOn));
  }, 240_000);

  it('a browser without such a worker follows by itself, and only there the page loads what that needs', async () => {
    const hubs: string[] = [];
    const page = await browser.context.newPage();
    page.on('request', (request) => void (/stream-(hub|worker)/.test(request.url()) && hubs.push(request.url())));
    await page.goto(`${proxy.origin}/jobs/${jobs[0]}`);
    await goesOn(page);
    expect(hubs.filter((url) => url.includes('stream-hub'))).toEqual([]);
    await page.addInitScript({ content: 'delete globalThis.SharedWorker' });
    await page.reload();
    await goesOn(page);
    expect(hubs.filter((url) => url.includes('stream-hub'))).toHaveLength(1);
    await page.close();
  }, 240_000);

  it('the tab that came first is closed, and the others go on without a gap', async () => {
    const [first, ...others] = tabs;
    await first?.close();
    tabs = others;
    await Promise.all(tabs.map(goesOn));
    for (const page of tabs) {
      const numbers = await page.evaluate<number[]>(
        `[...document.querySelectorAll('[data-n]')].map((row) => Number(/counted to (\\d+)/.exec(row.textContent)?.[1] ?? 0)).filter(Boolean)`,
      );
      expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
    }
  }, 240_000);

  it('tabs that look at different things share the places there are', async () => {
    const paths = [
      `/jobs/${jobs[0]}`,
      `/jobs/${jobs[1]}`,
      '/operations/kubernetes/pods/data/postgres-0',
      '/operations/kubernetes',
      '/operations/kubernetes/nodes',
      '/operations/kubernetes/pods',
      '/jobs',
    ];
    await Promise.all(tabs.map((page, n) => page.goto(`${proxy.origin}${paths[n]}`)));
    await Promise.all(tabs.slice(0, 2).map(goesOn));
    // One that ends and one that takes its place may be there together for a moment.
    await expect.poll(() => proxy.streams.size).toBeLessThan(5);
    const last = tabs.at(-1);
    await last?.goto(`${proxy.origin}/settings/keys`);
    await last?.getByRole('heading', { name: 'API keys' }).waitFor();
  }, 240_000);

  it('a hidden tab holds none, and goes on where it was', async () => {
    const [page, ...others] = tabs;
    if (page === undefined) throw new Error('no tab');
    for (const other of others) await other.close();
    tabs = [page];
    await page.goto(`${proxy.origin}/jobs/${jobs[0]}`);
    await goesOn(page);
    await shown(page, false);
    await expect.poll(() => proxy.streams.size, { timeout: 60_000 }).toBe(0);
    const before = await counted(page);
    await shown(page, true);
    await expect.poll(() => [...proxy.streams], { timeout: 60_000 }).toEqual(live(jobs[0] ?? ''));
    await goesOn(page);
    expect(await counted(page)).toBeGreaterThan(before);
    expect(await page.getByText(/reconnecting/i).count()).toBe(0);
  }, 240_000);

  it('signing out in one tab ends what the others show', async () => {
    const [page] = tabs;
    const other = await browser.context.newPage();
    await other.goto(`${proxy.origin}/jobs/${jobs[0]}`);
    await goesOn(other);
    await page?.getByRole('button', { name: /^You: / }).click();
    await page?.getByRole('menuitem', { name: 'Sign out' }).click();
    await page?.waitForURL(/\/sign-in/);
    await other.waitForURL(/\/sign-in/);
    await expect.poll(() => proxy.streams.size, { timeout: 60_000 }).toBe(0);
  }, 240_000);
});
