import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Blobs } from '../blobs.ts';

const MB = 1024 * 1024;

/** What every store of blobs has to do. `open` gives an empty one. */
export function blobsSuite(name: string, open: () => Blobs | Promise<Blobs>): void {
  describe(name, () => {
    let blobs: Blobs;
    beforeEach(async () => {
      blobs = await open();
    });

    const put = (key: string, body: string) => blobs.put(key, Readable.from([body]), { maxBytes: MB });
    const read = async (key: string) => {
      const found = await blobs.get(key);
      return found ? text(found.body) : null;
    };
    async function keys(prefix: string): Promise<string[]> {
      const found: string[] = [];
      for await (const key of blobs.list(prefix)) found.push(key);
      return found;
    }

    test('a blob comes back as it went in, with its size and hash', async () => {
      const bytes = randomBytes(3 * MB + 17);
      const parts = [bytes.subarray(0, 5), bytes.subarray(5, MB), bytes.subarray(MB)];
      const stored = await blobs.put('things/t_1/1/diff', Readable.from(parts), { maxBytes: bytes.length });
      expect(stored).toEqual({ sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
      const found = await blobs.get('things/t_1/1/diff');
      expect(found?.sizeBytes).toBe(bytes.length);
      expect(found && (await buffer(found.body)).equals(bytes)).toBe(true);
    });

    test('a range is read with both ends in it; the size stays that of the whole', async () => {
      await put('a/b', '0123456789');
      const found = await blobs.get('a/b', { range: { start: 2, end: 4 } });
      expect(found?.sizeBytes).toBe(10);
      expect(found && (await text(found.body))).toBe('234');
    });

    test('put replaces, remove is content when nothing is there, an empty body is a blob too', async () => {
      await put('a', 'one');
      await put('a', 'two');
      expect(await read('a')).toBe('two');
      await put('a', '');
      expect(await read('a')).toBe('');
      await blobs.remove('a');
      await blobs.remove('a');
      expect(await blobs.get('a')).toBeNull();
      expect(await blobs.get('never/was')).toBeNull();
    });

    test('a list can leave out what is young', async () => {
      await put('a/one', '1');
      const listed = async (before: Date) => {
        const found: string[] = [];
        for await (const key of blobs.list('', { before })) found.push(key);
        return found;
      };
      expect(await listed(new Date(Date.now() - 60_000))).toEqual([]);
      expect(await listed(new Date(Date.now() + 60_000))).toEqual(['a/one']);
    });

    test('over the limit nothing is left, the old blob stays, and the sender can still be answered', async () => {
      await put('a', 'old');
      const body = Readable.from([Buffer.alloc(600), Buffer.alloc(600), Buffer.alloc(600)]);
      await expect(blobs.put('a', body, { maxBytes: 1000 })).rejects.toMatchObject({ code: 'body_too_large' });
      expect(body.destroyed).toBe(false);
      expect(await read('a')).toBe('old');
      expect(await keys('')).toEqual(['a']);
    });

    test('a body that breaks off or is given up leaves nothing', async () => {
      const broken = Readable.from(
        (async function* () {
          yield 'half';
          throw new Error('socket gone');
        })(),
      );
      await expect(blobs.put('a', broken, { maxBytes: MB })).rejects.toThrow('socket gone');
      const stop = new AbortController();
      const endless = new Readable({ read() {} });
      endless.push('half');
      const putting = blobs.put('a', endless, { maxBytes: MB, signal: stop.signal });
      stop.abort(new Error('given up'));
      await expect(putting).rejects.toThrow('given up');
      expect(endless.destroyed).toBe(true);
      expect(await blobs.get('a')).toBeNull();
      expect(await keys('')).toEqual([]);
    });

    test('a body that breaks after it was refused harms nobody', async () => {
      const endless = new Readable({ read() {} });
      endless.push('too much');
      await expect(blobs.put('a', endless, { maxBytes: 1 })).rejects.toMatchObject({ code: 'body_too_large' });
      // Heard by nobody, it would be thrown here.
      expect(() => endless.emit('error', new Error('socket gone'))).not.toThrow();
    });

    test.each([
      '',
      '/etc/passwd',
      '../x',
      'a/../../x',
      'a//b',
      'a/',
      '.tmp/x',
      'a/.b',
      'a\0b',
      'a\\b',
      'x'.repeat(600),
    ])('the key %j is refused', async (key) => {
      await expect(put(key, 'x')).rejects.toMatchObject({ code: 'internal' });
      await expect(blobs.get(key)).rejects.toMatchObject({ code: 'internal' });
      await expect(blobs.remove(key)).rejects.toMatchObject({ code: 'internal' });
      await expect(blobs.removeAll(`${key}/`)).rejects.toMatchObject({ code: 'internal' });
    });

    test('removeAll needs a folder, and takes only that', async () => {
      for (const key of ['things/t_1/a', 'things/t_1/deep/b', 'things/t_10/c', 'z']) await put(key, key);
      expect(await keys('')).toEqual(['things/t_1/a', 'things/t_1/deep/b', 'things/t_10/c', 'z']);
      expect(await keys('things/t_1/')).toEqual(['things/t_1/a', 'things/t_1/deep/b']);
      expect(await keys('nothing/')).toEqual([]);
      await expect(blobs.removeAll('')).rejects.toMatchObject({ code: 'internal' });
      await expect(blobs.removeAll('things/t_1')).rejects.toMatchObject({ code: 'internal' });
      await blobs.removeAll('things/t_1/');
      await blobs.removeAll('things/t_1/');
      expect(await keys('')).toEqual(['things/t_10/c', 'z']);
    });

    test('writers of one key and removers of its folder never leave half a blob', async () => {
      const bodies = Array.from({ length: 30 }, (_, n) => String(n % 10).repeat(50_000));
      await Promise.all([
        ...bodies.map((body) => put('things/t_1/a', body)),
        ...bodies.map(() => blobs.removeAll('things/t_1/')),
      ]);
      await put('things/t_1/a', bodies[3] ?? '');
      expect(await read('things/t_1/a')).toBe(bodies[3]);
    });
  });
}
