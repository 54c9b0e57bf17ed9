import { expect, it } from 'vitest';
import { EventStreamParser } from './event-stream.ts';

it('takes frames apart wherever they are cut', () => {
  const text = ': hello\r\nid: 7\r\nevent: end\r\ndata: a\r\ndata:b\r\n\r\ndata: c\n\n';
  for (let cut = 0; cut < text.length; cut += 1) {
    const parser = new EventStreamParser();
    expect([...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))]).toEqual([
      { event: 'end', data: 'a\nb', id: '7' },
      { event: 'message', data: 'c', id: '7' },
    ]);
  }
});
