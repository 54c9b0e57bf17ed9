import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { commandLine } from './command-line.ts';

describe('a command that is told to a person', () => {
  it('holds the options that were given, and no others', () => {
    const options = { namespace: 'train', status: ['pending', 'failing'], reverse: true, all: false, limit: 0 };
    expect(commandLine('hangar k8s pods', { ...options, node: undefined, offset: 20 })).toBe(
      'hangar k8s pods --namespace train --status pending --status failing --reverse --limit 0 --offset 20',
    );
  });

  it.each(["it's $HOME", '-x', '', 'a\nb', '*'])('says %j so that a shell takes it as it is', (text) => {
    const line = commandLine('printf "%s\\0"', { search: text });
    const words = execFileSync('sh', ['-c', line], { encoding: 'utf8' }).split('\0').slice(0, -1);
    expect(words).toEqual(text.startsWith('-') ? [`--search=${text}`] : ['--search', text]);
  });
});
