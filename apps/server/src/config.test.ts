import { expect, it } from 'vitest';
import { readConfig } from './config.ts';

const trusts = (text: string) => readConfig({ HANGAR_TRUST_PROXY: text }).trustProxy;

it.each([
  ['', false],
  ['false', false],
  ['0', false],
  ['1', 1],
  ['2', 2],
  ['true', true],
  ['10.0.0.0/8, 192.0.2.7', ['10.0.0.0/8', '192.0.2.7']],
  ['fd00::/8', ['fd00::/8']],
])('proxies that are believed: %o', (text, value) => {
  expect(trusts(text)).toEqual(value);
});

it.each(['maybe', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/8/8', 'fd00::/129', '-1'])('not %o', (text) => {
  expect(() => trusts(text)).toThrow(/HANGAR_TRUST_PROXY/);
});

it.each([
  [{}, false],
  [{ HANGAR_PUBLIC_URL: 'http://localhost:7070' }, false],
  [{ HANGAR_PUBLIC_URL: 'http://[::1]:7070' }, false],
  [{ HANGAR_PUBLIC_URL: 'https://hangar.example.org' }, true],
  [{ HANGAR_TRUST_PROXY: '1' }, true],
  [{ HANGAR_TRUST_PROXY: '127.0.0.1' }, true],
])('a proxy is in front with %o: %s', (environment, is) => {
  expect(readConfig(environment).behindProxy).toBe(is);
});
