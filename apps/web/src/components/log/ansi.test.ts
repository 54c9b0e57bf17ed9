import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PLAIN, parseAnsi, plainText } from './ansi.ts';
import { contrast, PAPER, readableOn, runCss } from './ansi-color.ts';

const ESC = '\u001b';
const styles = (raw: string) => parseAnsi(raw).map(({ text, style }) => [text, style] as const);

describe('parseAnsi', () => {
  it('leaves plain text alone', () => {
    expect(parseAnsi('npm test')).toEqual([{ text: 'npm test', style: PLAIN }]);
    expect(parseAnsi('')).toEqual([]);
  });

  it('reads colours of 16, 256 and 24 bits, in both spellings', () => {
    const fg = (raw: string) => parseAnsi(`${ESC}[${raw}mx`)[0]?.style.fg;
    expect(fg('31')).toEqual({ kind: 'palette', index: 1 });
    expect(fg('97')).toEqual({ kind: 'palette', index: 15 });
    expect(fg('38;5;9')).toEqual({ kind: 'palette', index: 9 });
    expect(fg('38;5;196')).toEqual({ kind: 'rgb', rgb: 0xff0000 });
    expect(fg('38;5;232')).toEqual({ kind: 'rgb', rgb: 0x080808 });
    expect(fg('38;2;1;2;3')).toEqual({ kind: 'rgb', rgb: 0x010203 });
    expect(fg('38:2::1:2:3')).toEqual({ kind: 'rgb', rgb: 0x010203 });
    expect(fg('38:2:1:2:3')).toEqual({ kind: 'rgb', rgb: 0x010203 });
    expect(fg('38;5;999')).toBeNull();
  });

  it('goes on after an extended colour and knows resets', () => {
    const [first, second] = styles(`${ESC}[38;5;196;1;4mred${ESC}[0mplain`);
    expect(first?.[1]).toMatchObject({ bold: true, underline: true });
    expect(second).toEqual(['plain', PLAIN]);
    expect(styles(`${ESC}[1;31mx${ESC}[22;39my`)[1]?.[1]).toBe(PLAIN);
    expect(styles(`${ESC}[4mx${ESC}[4:0my`)[1]?.[1]).toBe(PLAIN);
    expect(styles(`${ESC}[58;5;4mx`)[0]?.[1]).toBe(PLAIN);
  });

  it('drops every other sequence', () => {
    expect(plainText(`${ESC}[2J${ESC}[10;3Ha${ESC}[?25l${ESC}(Bb${ESC}7c`)).toBe('abc');
    expect(plainText(`${ESC}]8;;https://example.org${ESC}\\link${ESC}]8;;\u0007!`)).toBe('link!');
    expect(plainText(`${ESC}]0;title\u0007x`)).toBe('x');
    expect(plainText(`${ESC}]0;title${ESC}[31mx`)).toBe('x');
    expect(plainText(`${ESC}Pq#0;2;0;0;0${ESC}\\x`)).toBe('x');
    expect(plainText('a\u0000b\u0007c\u007f')).toBe('abc');
  });

  it('shows what an unfinished sequence would hide', () => {
    expect(plainText(`${ESC}]0;the rest`)).toBe('0;the rest');
    expect(plainText(`a${ESC}[31`)).toBe('a31');
    expect(plainText(`a${ESC}`)).toBe('a');
  });

  it('shows the last state of a progress bar', () => {
    expect(plainText('10%\r20%\r100%')).toBe('100%');
    expect(plainText('done\r')).toBe('done');
    expect(plainText(`a\r${ESC}[Kb`)).toBe('b');
    expect(plainText(`a${ESC}[2Kb`)).toBe('b');
    expect(plainText('|\b/\b-')).toBe('-');
  });

  it('puts tabs on columns of eight', () => {
    expect(plainText('a\tb')).toBe('a       b');
    expect(plainText('12345678\tb')).toBe('12345678        b');
  });

  it('shows direction overrides instead of obeying them', () => {
    expect(plainText('a\u202eb')).toBe('a\ufffdb');
  });

  it('never leaves a control character, whatever comes', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(ESC, `${ESC}[`, `${ESC}]`, '38;5;', 'm', '\u009b', '\r', '\b', '\t', '31m', ';', ':', '\u0007'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        expect(plainText(pieces.join(''))).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });
});

describe('colours', () => {
  it('are readable on the paper of both schemes', () => {
    const colours = (css: string | undefined) =>
      [...(css ?? '').matchAll(/#[0-9a-f]{6}/g)].map(([hex]) => Number(`0x${hex.slice(1)}`));
    for (let index = 0; index < 256; index += 1) {
      const style = parseAnsi(`${ESC}[38;5;${index}mx`)[0]?.style ?? PLAIN;
      const [light = 0, dark = 0] = colours(runCss(style).color);
      expect(contrast(light, PAPER.light)).toBeGreaterThanOrEqual(4.5);
      expect(contrast(dark, PAPER.dark)).toBeGreaterThanOrEqual(4.5);
      const onBackground = runCss(parseAnsi(`${ESC}[48;5;${index}mx`)[0]?.style ?? PLAIN);
      const [fg = 0] = colours(onBackground.color);
      const [bg = 0] = colours(onBackground.backgroundColor);
      expect(contrast(fg, bg)).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('are kept where they read well', () => {
    expect(readableOn(0x000000, 0xffffff)).toBe(0x000000);
    expect(runCss(PLAIN)).toEqual({});
  });
});
