import { describe, expect, it } from 'vitest';
import { readProgramState, wordsOf } from './program-state.ts';
import { urlOfServer } from './way-to-server.ts';

describe('what a machine says of a program', () => {
  it.each([
    ['running\n\n', { kind: 'running' }],
    ['none\n\n', { kind: 'starting' }],
    ['none\nIt was stopped.\n', { kind: 'exited', exitCode: null, reason: 'It was stopped.' }],
    ['exited 0\nIt was stopped.\n', { kind: 'exited', exitCode: 0, reason: 'The worker has ended' }],
    ['exited 7\n\none\n\u001b[31mtwo\n', { exitCode: 7, reason: 'The worker ended with exit code 7: [31mtwo' }],
    ['exited 91\n\n', { code: 'image_unsuitable', reason: 'The machine has no git' }],
    ['exited 1\n\nnode: /lib/libc.so.6: version `GLIBC_2.38` not found\n', { code: 'image_unsuitable' }],
    ['killed\n\n', { exitCode: null, reason: 'The worker was killed' }],
    ['killed\nIts time was over.\n', { exitCode: null, code: 'job_timeout' }],
    ['restarted\n\n', { exitCode: null, reason: 'The machine was restarted' }],
  ])('%j', (text, state) => {
    expect(readProgramState('worker', text)).toMatchObject(state);
  });

  it.each(['', 'exited\n', 'exited 1000\n', 'exited x\n', 'fine\n'])('%j is no state', (text) => {
    expect(() => readProgramState('worker', text)).toThrow(expect.objectContaining({ code: 'launch_failed' }));
  });

  it('its last words are few and plain', () => {
    const log = Array.from({ length: 50 }, (_, line) => `\u0007${line}\r`).join('\n');
    expect(wordsOf(`killed\n\n${log}\n`)).toEqual(Array.from({ length: 20 }, (_, line) => String(line + 30)));
  });
});

describe('the way to the server', () => {
  const asked = { serverUrl: undefined, isHere: false, machine: 'box' };
  it('is that of the profile, else the public one, and loopback only on this machine', () => {
    const loopback = 'http://127.0.0.1:7070';
    expect(urlOfServer({ ...asked, httpUrl: loopback, serverUrl: 'https://a.example' })).toBe('https://a.example');
    expect(urlOfServer({ ...asked, httpUrl: 'https://b.example' })).toBe('https://b.example');
    expect(urlOfServer({ ...asked, httpUrl: loopback, isHere: true })).toBe(loopback);
    for (const httpUrl of [loopback, 'http://localhost:1', 'http://[::1]:1'])
      expect(() => urlOfServer({ ...asked, httpUrl })).toThrow(expect.objectContaining({ code: 'launch_failed' }));
  });
});
