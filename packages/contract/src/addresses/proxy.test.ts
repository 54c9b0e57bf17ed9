import { describe, expect, test } from 'vitest';
import { proxyFor } from './proxy.ts';

const through = (target: string, env: Record<string, string>) => proxyFor(target, env)?.href ?? null;

describe('which proxy a call goes through', () => {
  test('by the scheme of the call, lower case first, empty ones do not count', () => {
    const env = { HTTPS_PROXY: 'http://secure:1', HTTP_PROXY: 'http://plain:2' };
    expect(through('https://hangar.example', env)).toBe('http://secure:1/');
    expect(through('http://hangar.example', env)).toBe('http://plain:2/');
    expect(through('https://hangar.example', { ...env, https_proxy: 'http://lower:3' })).toBe('http://lower:3/');
    expect(through('https://hangar.example', { ...env, https_proxy: '' })).toBe('http://secure:1/');
    expect(through('https://hangar.example', { HTTP_PROXY: 'http://plain:2' })).toBeNull();
    expect(through('https://hangar.example', { ALL_PROXY: 'http://all:4' })).toBe('http://all:4/');
    expect(through('https://hangar.example', { ALL_PROXY: 'http://all:4', ...env })).toBe('http://secure:1/');
    expect(through('https://hangar.example', {})).toBeNull();
  });

  test('a proxy without a scheme speaks http, and may ask for a sign-in', () => {
    expect(through('https://hangar.example', { HTTPS_PROXY: 'proxy.corp:3128' })).toBe('http://proxy.corp:3128/');
    expect(through('https://hangar.example', { HTTPS_PROXY: 'https://me:s%40fe@proxy.corp' })).toBe(
      'https://me:s%40fe@proxy.corp/',
    );
  });

  test('a proxy of another kind is refused without its password', () => {
    const refused = (value: string) => () => proxyFor('https://hangar.example', { HTTPS_PROXY: value });
    expect(refused('socks5://me:secret@proxy:1080')).toThrow(/HTTPS_PROXY names a proxy of the kind socks5/);
    expect(refused('http://me:secret@pro xy')).toThrow(/^HTTPS_PROXY is no address of a proxy\.$/);
  });

  test.each([
    ['hangar.example', 'https://hangar.example', true],
    ['hangar.example', 'https://HANGAR.example.', true],
    ['hangar.example', 'https://eu.hangar.example', true],
    ['hangar.example', 'https://myhangar.example', false],
    ['.hangar.example', 'https://eu.hangar.example', true],
    ['.hangar.example', 'https://hangar.example', true],
    ['*.hangar.example', 'https://eu.hangar.example', true],
    ['hangar.example:8443', 'https://hangar.example:8443', true],
    ['hangar.example:8443', 'https://hangar.example', false],
    ['hangar.example:443', 'https://hangar.example', true],
    ['one.example, two.example', 'https://two.example', true],
    ['one.example two.example', 'https://two.example', true],
    ['*', 'https://two.example', true],
    ['10.0.0.0/8', 'https://10.1.2.3', true],
    ['10.0.0.0/8', 'https://11.1.2.3', false],
    ['10.1.2.3', 'https://10.1.2.3', true],
    ['10.1.2.3:8443', 'https://10.1.2.3:8443', true],
    ['10.1.2.3:8443', 'https://10.1.2.3', false],
    ['10.0.0.0/33', 'https://10.0.0.0', false],
    ['10.0.0.0/', 'https://10.0.0.0', false],
    ['0.0.0.0/0', 'https://10.1.2.3', true],
    ['10.0.0.0/8', 'https://[::ffff:10.1.2.3]', true],
    ['fd00::/8', 'https://[fd12::1]', true],
    ['fd00::/8', 'https://[fe12::1]', false],
    ['[fd12::1]', 'https://[fd12::1]', true],
    ['[fd12::1]:8443', 'https://[fd12:0::1]:8443', true],
    ['fd12::1', 'https://[fd12::1]', true],
    ['.', 'https://hangar.example', false],
    ['', 'https://hangar.example', false],
  ])('NO_PROXY=%s for %s: direct is %s', (list, target, direct) => {
    expect(proxyFor(target, { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: list }) === null).toBe(direct);
  });

  test('no_proxy in lower case comes first', () => {
    const env = { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'other.example', no_proxy: 'hangar.example' };
    expect(through('https://hangar.example', env)).toBeNull();
    expect(through('https://other.example', env)).toBe('http://proxy:3128/');
  });

  test('this machine is asked directly, unless the proxy is on it', () => {
    for (const here of ['http://127.0.0.1:7070', 'http://localhost:7070', 'http://[::1]:7070', 'http://127.9.9.9']) {
      expect(through(here, { HTTP_PROXY: 'http://proxy.corp:3128' })).toBeNull();
      expect(through(here, { HTTP_PROXY: 'http://127.0.0.1:3128' })).toBe('http://127.0.0.1:3128/');
    }
  });

  test('a unix socket has no proxy', () => {
    expect(through('unix:/run/worker.sock', { ALL_PROXY: 'http://proxy:3128' })).toBeNull();
  });
});
