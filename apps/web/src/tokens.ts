/** What the look is made of, as plain values: the app takes them into its theme, the build into the first paint. */

export const SANS = "'Inter Variable', system-ui, -apple-system, 'Segoe UI', sans-serif";
export const MONO = "'JetBrains Mono', ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";

export const measures = {
  '--hg-rail-width': '208px',
  '--hg-top-height': '48px',
  '--hg-bar-height': '56px',
  '--hg-row': '36px',
};

/** Tokens with the same names in light and dark. Everything that is drawn takes its colour from these. */
export const tokens = {
  light: {
    '--hg-bg': '#ffffff',
    '--hg-rail': '#f7f7f8',
    '--hg-raised': '#ffffff',
    '--hg-sunken': '#f6f6f8',
    '--hg-hover': 'rgba(24, 24, 32, 0.045)',
    '--hg-active': 'rgba(24, 24, 32, 0.075)',
    '--hg-line': '#e6e6e9',
    '--hg-line-strong': '#cfcfd6',
    '--hg-text': '#1b1b1f',
    '--hg-dim': '#5c5d67',
    '--hg-faint': '#6c6d77',
    '--hg-accent': '#4353c9',
    '--hg-accent-soft': '#eef0fd',
    '--hg-waiting': '#62646e',
    '--hg-working': '#0b67b8',
    '--hg-good': '#17703f',
    '--hg-needs': '#8f5800',
    '--hg-bad': '#c0262d',
    '--hg-ended': '#62646e',
    '--hg-added': '#e6f5ec',
    '--hg-removed': '#fcebeb',
    '--hg-shadow': '0 1px 2px rgba(20, 20, 30, 0.05), 0 8px 28px rgba(20, 20, 30, 0.12)',
  },
  dark: {
    '--hg-bg': '#111214',
    '--hg-rail': '#0c0d0f',
    '--hg-raised': '#18191c',
    '--hg-sunken': '#0d0e10',
    '--hg-hover': 'rgba(255, 255, 255, 0.05)',
    '--hg-active': 'rgba(255, 255, 255, 0.085)',
    '--hg-line': '#26272c',
    '--hg-line-strong': '#3d3e46',
    '--hg-text': '#ecedef',
    '--hg-dim': '#a2a4ae',
    '--hg-faint': '#8b8d98',
    '--hg-accent': '#95a1fb',
    '--hg-accent-soft': '#1f2340',
    '--hg-waiting': '#a2a4ae',
    '--hg-working': '#5db3ff',
    '--hg-good': '#4cc38a',
    '--hg-needs': '#f0b44c',
    '--hg-bad': '#ff8585',
    '--hg-ended': '#a2a4ae',
    '--hg-added': '#12291d',
    '--hg-removed': '#331719',
    '--hg-shadow': '0 1px 2px rgba(0, 0, 0, 0.4), 0 8px 28px rgba(0, 0, 0, 0.5)',
  },
} as const;
