import { describe, expect, it } from 'vitest';
import { fileTrouble, naming } from './file-trouble.ts';

const refused = (code: string, more: object) => Object.assign(new Error(`${code}: no`), { code, ...more });

describe('what the system refuses of a file', () => {
  it.each([
    ['ENOSPC', { syscall: 'copyfile', path: '/from', dest: '/to' }, 'disk_full', '/to'],
    ['EDQUOT', { syscall: 'open', path: '/to' }, 'disk_full', '/to'],
    ['ENOSPC', { syscall: 'write' }, 'disk_full', null],
    ['EROFS', { syscall: 'copyfile', path: '/from', dest: '/to' }, 'file_unreadable', '/to'],
    ['EACCES', { syscall: 'open', path: '/to' }, 'file_unreadable', '/to'],
    ['EPERM', { syscall: 'unlink', path: '/to' }, 'file_unreadable', '/to'],
    ['EIO', { syscall: 'read', path: '/to' }, 'file_unreadable', '/to'],
    ['EMFILE', { syscall: 'open', path: '/to' }, 'open_files_exhausted', '/to'],
    ['ENFILE', { syscall: 'spawn git', path: 'git' }, 'open_files_exhausted', null],
    ['EACCES', { syscall: 'connect', path: '/run/x.sock' }, null, null],
    ['ENOENT', { syscall: 'open', path: '/to' }, null, null],
  ])('%s of %o is %s', (code, more, expected, path) => {
    const trouble = fileTrouble(refused(code, more));
    expect(trouble?.code ?? null).toBe(expected);
    expect(trouble?.details?.path ?? null).toBe(path);
    if (path !== null) expect(trouble?.message).toContain(path);
    // Nothing of a server: it is this machine that refused.
    if (trouble !== null) expect(`${trouble.message} ${trouble.wayOut}`).not.toMatch(/server|profile/);
  });

  it('is of both where a copy is denied, since nobody says which', () => {
    const trouble = fileTrouble(refused('EACCES', { syscall: 'copyfile', path: '/from', dest: '/to' }));
    expect(trouble?.message).toMatch(/\/from or \/to/);
  });

  it('gets its name from who writes through a handle; everything else stays as it is', async () => {
    await expect(naming('/log', Promise.reject(refused('ENOSPC', { syscall: 'write' })))).rejects.toMatchObject({
      code: 'disk_full',
      message: expect.stringContaining('/log'),
    });
    const other = new Error('other');
    await expect(naming('/log', Promise.reject(other))).rejects.toBe(other);
  });
});
