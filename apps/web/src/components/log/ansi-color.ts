import type { AnsiColor, AnsiStyle } from './ansi.ts';

export type Scheme = 'light' | 'dark';

/** Paper of the log in each scheme; --hg-bg of theme.ts. */
export const PAPER: Record<Scheme, number> = { light: 0xffffff, dark: 0x111214 };
const INK: Record<Scheme, number> = { light: 0x1b1b1f, dark: 0xecedef };

/** The 16 colours, each AA (4.5:1) on the paper of its scheme; black and white bend towards the ink where they must. */
const PALETTE: Record<Scheme, readonly number[]> = {
  light: [
    0x1c1f24, 0xb42318, 0x1a7431, 0x8a5a00, 0x1d5fc4, 0x9a2a9a, 0x0c6e7d, 0x5c6470, 0x5f6672, 0xc4271b, 0x187a30,
    0x8f5f00, 0x2563d6, 0xa83aa8, 0x0b7285, 0x4a515c,
  ],
  dark: [
    0x8b929e, 0xff7b72, 0x6bd48b, 0xe3b341, 0x79b0ff, 0xe08ae0, 0x56c8d8, 0xc9ced6, 0x969dab, 0xff938b, 0x85e3a1,
    0xf0c866, 0x9cc6ff, 0xeda5ed, 0x7fdbe8, 0xf2f4f7,
  ],
};
/** Backgrounds are what the program asked for: the text on them is bent instead. */
const BACKGROUNDS: readonly number[] = [
  0x24272c, 0xb42318, 0x1a7431, 0xb58300, 0x1d5fc4, 0x9a2a9a, 0x0c6e7d, 0xd0d4da, 0x5f6672, 0xf0665c, 0x3fb868,
  0xe3b341, 0x5b9bff, 0xd37bd3, 0x43bccd, 0xf2f4f7,
];

const hex = (rgb: number): string => `#${rgb.toString(16).padStart(6, '0')}`;

/** The 16 colours for whatever else draws them. */
export const ansiPalette = (scheme: Scheme): readonly string[] => PALETTE[scheme].map(hex);

const AA = 4.5;

/** CSS of a run: colours that stay readable (AA) in both schemes, whatever the program asked for. */
export interface RunCss {
  readonly color?: string;
  readonly backgroundColor?: string;
}

export function runCss(style: AnsiStyle): RunCss {
  if (style.fg === null && style.bg === null && !style.inverse) return {};
  const light = pair(style, 'light');
  const dark = pair(style, 'dark');
  return {
    color: `light-dark(${hex(light.fg)}, ${hex(dark.fg)})`,
    ...(light.bg === null || dark.bg === null
      ? {}
      : { backgroundColor: `light-dark(${hex(light.bg)}, ${hex(dark.bg)})` }),
  };
}

function pair(style: AnsiStyle, scheme: Scheme): { fg: number; bg: number | null } {
  const asked = style.fg === null ? INK[scheme] : foreground(style.fg, scheme);
  const behind = style.bg === null ? null : background(style.bg);
  const fg = style.inverse ? (behind ?? PAPER[scheme]) : asked;
  const bg = style.inverse ? asked : behind;
  return { fg: readableOn(fg, bg ?? PAPER[scheme]), bg };
}

const foreground = (color: AnsiColor, scheme: Scheme): number =>
  color.kind === 'rgb' ? color.rgb : (PALETTE[scheme][color.index] ?? INK[scheme]);
const background = (color: AnsiColor): number =>
  color.kind === 'rgb' ? color.rgb : (BACKGROUNDS[color.index] ?? 0x24272c);

/** The colour itself when it reads well on the paper, else the nearest mix with black or white that does. */
export function readableOn(color: number, paper: number): number {
  if (contrast(color, paper) >= AA) return color;
  const towards = contrast(0xffffff, paper) >= contrast(0x000000, paper) ? 0xffffff : 0x000000;
  let low = 0;
  let high = 1;
  for (let step = 0; step < 8; step += 1) {
    const middle = (low + high) / 2;
    if (contrast(mix(color, towards, middle), paper) >= AA) high = middle;
    else low = middle;
  }
  return mix(color, towards, high);
}

/** WCAG 2 contrast of two colours, 1 to 21. */
export function contrast(a: number, b: number): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

function luminance(rgb: number): number {
  const channel = (value: number): number => {
    const unit = value / 255;
    return unit <= 0.04045 ? unit / 12.92 : ((unit + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(rgb >> 16) + 0.7152 * channel((rgb >> 8) & 255) + 0.0722 * channel(rgb & 255);
}

function mix(from: number, to: number, share: number): number {
  const channel = (shift: number): number => {
    const a = (from >> shift) & 255;
    const b = (to >> shift) & 255;
    return Math.round(a + (b - a) * share) << shift;
  };
  return channel(16) | channel(8) | channel(0);
}
