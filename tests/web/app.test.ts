import { existsSync } from 'node:fs';
import { extname, join } from 'node:path';
import { OAUTH_CLIENT_ID } from '@hangar/contract';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, ServerProcess } from '../e2e/server-process.ts';
import { type Browser, chromiumPath, NO_CHROMIUM, openBrowser } from './browser.ts';
import { buildWithGallery, CSP } from './web-build.ts';

const isBuilt = existsSync(join(ROOT, 'apps/server/dist/main.mjs'));
const skip =
  chromiumPath === undefined ? NO_CHROMIUM : isBuilt ? null : 'skipped: the server is not built (make build)';
if (skip) console.warn(`web app on a real server: ${skip}`);

const TYPES: Record<string, string> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const PASSWORD = 'correct horse battery';

describe.skipIf(skip !== null)('the web app on a real server', () => {
  let folder: string;
  let server: ServerProcess;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    folder = await buildWithGallery();
    server = await (await ServerProcess.make()).start();
    browser = await openBrowser(chromiumPath ?? '');
    // The pages come from this build, everything under /api from the server: the origin is the server's own.
    await browser.context.route(
      (url) => !url.pathname.startsWith('/api'),
      (route) => {
        const { pathname } = new URL(route.request().url());
        const type = TYPES[extname(pathname)];
        return route.fulfill({
          path: join(folder, type === undefined ? 'index.html' : pathname),
          contentType: type ?? 'text/html',
          headers: { 'content-security-policy': CSP },
        });
      },
    );
    page = await browser.context.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      // An answer of 4xx is reported by the browser itself; what matters is what the page does with it.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        problems.push(message.text());
    });
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await server?.remove();
  });

  const go = (path: string) => page.goto(`${server.url}${path}`);
  const field = (name: string) => page.locator(`input[name="${name}"]`);
  const button = (name: string | RegExp) => page.getByRole('button', { name });

  it('leads who is not signed in to the sign-in page and says how to begin', async () => {
    await go('/settings/keys');
    await page.waitForURL(/\/sign-in\?next=%2Fsettings%2Fkeys/);
    await page.getByText('Nobody has signed in yet').waitFor();
  });

  it('signs in by the one-time link, once', async () => {
    const link = /http\S+\/sign-in\/link#\S+/.exec(server.output)?.[0] ?? '';
    await page.goto(link);
    await page.getByText('You have no email and no password yet').waitFor();
    const other = await browser.context.newPage();
    await other.goto(link);
    await other.getByText('sign_in_link_used').waitFor();
    await other.close();
  });

  it('takes a name, an email and a password, with errors beside the fields', async () => {
    await go('/settings');
    await field('email').fill('ada@');
    await field('email').blur();
    await page.getByText('An email address, like name@example.com').waitFor();
    await field('name').fill('Ada Lovelace');
    await field('email').fill('ada@example.com');
    await button('Save').click();
    await page.getByText('Saved').waitFor();
    await field('password').fill(PASSWORD);
    await button('Set password').click();
    await page.getByText('Password set').waitFor();
    await page.getByText('You have no').waitFor({ state: 'detached' });
  });

  it('signs out, refuses a wrong password, and comes back to where it was', async () => {
    await button(/^You: /).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.waitForURL(/\/sign-in/);
    await go('/sign-in?next=/settings/keys');
    await field('email').fill('ada@example.com');
    await field('password').fill('not this one');
    await button('Sign in').click();
    await page.getByText('wrong_password').waitFor();
    await page.reload();
    expect(await field('email').inputValue()).toBe('ada@example.com');
    expect(await field('password').inputValue()).toBe('');
    await field('password').fill(PASSWORD);
    await button('Sign in').click();
    await page.waitForURL(/\/settings\/keys$/);
  });

  let key = '';
  const ask = (path: string, body: unknown) =>
    fetch(`${server.url}/api${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('makes an API key and shows it once', async () => {
    await button('New key').click();
    await field('name').fill('ci');
    await button('Make key').click();
    const dialog = page.getByRole('dialog', { name: 'Key ci' });
    key = (await dialog.locator('code').first().textContent()) ?? '';
    await button('I have it').click();
    await dialog.waitFor({ state: 'detached' });
    expect(await page.content()).not.toContain(key);
    const answer = await fetch(`${server.url}/api/users/me`, { headers: { authorization: `Bearer ${key}` } });
    expect(answer.status).toBe(200);
  });

  it('shows what somebody else does as it happens, and lets it go', async () => {
    await go('/operations');
    await page.getByText('hangar activity start').waitFor();
    const started = await ask('/devops/activity', { operation: 'Deploy staging', steps: ['Build', 'Roll out'] });
    const { id } = (await started.json()) as { id: string };
    const banner = page.getByTitle('Show activity').first();
    await banner.waitFor();
    const say = (message: unknown) => ask(`/devops/activity/${id}/messages`, { message });
    await say({ type: 'DEVOPS_STEP_UPDATE', step: 'Build', status: 'running' });
    await page.getByText('Running: Build').waitFor();
    await say({ type: 'DEVOPS_FAILED', error: 'The registry is full' });
    await page.getByText('The registry is full').first().waitFor();
    await banner.getByText('failed').waitFor();
    await button('Dismiss').first().click();
    await banner.waitFor({ state: 'detached' });
  });

  it('approves a program that waits in a terminal', async () => {
    const begun = await fetch(`${server.url}/api/auth/device`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: OAUTH_CLIENT_ID }),
    });
    const { user_code } = (await begun.json()) as { user_code: string };
    await go('/device');
    await page.getByRole('textbox', { name: 'Code' }).fill(user_code.replace('-', '').toLowerCase());
    await button('Continue').click();
    await page.getByText('Approve only if you started this yourself').waitFor();
    expect(await page.getByText(user_code, { exact: true }).count()).toBe(1);
    await button('Approve').click();
    await page.getByText('Go back to your terminal').waitFor();
  });

  it('says that a code is unknown', async () => {
    await go('/device?user_code=BCDF-GHJK');
    await page.getByText('device_not_found').waitFor();
    await button('Enter another code').click();
    await page.getByRole('textbox', { name: 'Code' }).waitFor();
  });

  it('goes to places and does things by keyboard', async () => {
    await go('/operations');
    await page.getByRole('heading', { name: 'Activity' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('g');
    await page.keyboard.press('s');
    await page.waitForURL(/\/settings$/);
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill('local');
    await page.getByRole('option', { name: /local/ }).first().waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/settings\/profiles/);
  });

  it('says quietly that the server is away, and has true data again when it is back', async () => {
    await go('/settings/profiles');
    await page.getByText('default', { exact: true }).waitFor();
    // Connected as soon as that is known.
    await button(/^You: /).waitFor();
    await server.kill('SIGKILL');
    await page.getByText(/reconnecting, data from \d\d:\d\d:\d\d/).waitFor();
    await page.getByText('default', { exact: true }).waitFor();
    await server.start();
    await page.getByText(/reconnecting/).waitFor({ state: 'detached', timeout: 30_000 });
    const started = await ask('/devops/activity', { operation: 'After the gap', steps: [] });
    expect(started.status).toBe(201);
    await page.getByText('After the gap').first().waitFor();
  }, 90_000);

  it('says it as well when it was away before it was known who is signed in, and comes back by itself', async () => {
    await page.route('**/api/users/me', (route) => route.abort('connectionrefused'));
    await page.route('**/api/driver-types*', (route) => route.abort('connectionrefused'));
    await go('/settings/profiles');
    await page.getByText('server_unreachable').waitFor();
    await page.getByText('reconnecting').waitFor();
    await page.unroute('**/api/driver-types*');
    await page.unroute('**/api/users/me');
    await button(/^You: /).waitFor();
    await page.getByText('reconnecting').waitFor({ state: 'detached' });
    await page.getByText('server_unreachable').waitFor({ state: 'detached' });
  });

  it('had no error in the console', () => {
    expect(problems).toEqual([]);
  });
});
