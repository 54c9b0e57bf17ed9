import {
  ActionIcon,
  Button,
  type CSSVariablesResolver,
  createTheme,
  Drawer,
  Input,
  type MantineColorsTuple,
  Menu,
  Modal,
  SegmentedControl,
  Tabs,
  Tooltip,
} from '@mantine/core';

/** The one accent. 6 is the fill in light and dark, 3 the text in dark. */
const accent: MantineColorsTuple = [
  '#eef0fd',
  '#dde1fa',
  '#b9c1f5',
  '#95a1fb',
  '#7a87ee',
  '#5b69dc',
  '#4353c9',
  '#3846b0',
  '#2f3b94',
  '#242d73',
];
const gray: MantineColorsTuple = [
  '#f7f7f8',
  '#f1f1f3',
  '#e6e6e9',
  '#d5d5da',
  '#b8b9c0',
  '#8c8d97',
  '#62646e',
  '#4a4b54',
  '#2f3036',
  '#1b1b1f',
];
const dark: MantineColorsTuple = [
  '#ecedef',
  '#c9cad1',
  '#a2a4ae',
  '#7c7f8a',
  '#3a3b42',
  '#2a2b31',
  '#1d1e22',
  '#111214',
  '#0d0e10',
  '#08090a',
];
const red: MantineColorsTuple = [
  '#fdf0f0',
  '#fbdcdc',
  '#f5b5b6',
  '#ff8585',
  '#e86a6d',
  '#d2393f',
  '#c0262d',
  '#a51f26',
  '#86191e',
  '#641216',
];

/** Tokens with the same names in light and dark. Everything that is drawn takes its colour from these. */
const tokens = {
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

/** Mantine's own variables, told in our tokens. */
const mapped = {
  '--mantine-color-body': 'var(--hg-bg)',
  '--mantine-color-text': 'var(--hg-text)',
  '--mantine-color-bright': 'var(--hg-text)',
  '--mantine-color-dimmed': 'var(--hg-dim)',
  '--mantine-color-placeholder': 'var(--hg-faint)',
  '--mantine-color-anchor': 'var(--hg-accent)',
  '--mantine-color-error': 'var(--hg-bad)',
  '--mantine-color-default': 'var(--hg-raised)',
  '--mantine-color-default-color': 'var(--hg-text)',
  '--mantine-color-default-hover': 'var(--hg-hover)',
  '--mantine-color-default-border': 'var(--hg-line-strong)',
  '--mantine-color-disabled': 'var(--hg-sunken)',
  '--mantine-color-disabled-color': 'var(--hg-faint)',
  '--mantine-color-disabled-border': 'var(--hg-line)',
};

export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: {
    '--hg-rail-width': '208px',
    '--hg-top-height': '48px',
    '--hg-bar-height': '56px',
    '--hg-row': '36px',
    '--hg-mono': "'JetBrains Mono Variable', ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
  },
  light: { ...tokens.light, ...mapped },
  dark: { ...tokens.dark, ...mapped },
});

const overlay = { backgroundOpacity: 0.4, blur: 0 };

/** Mantine is the material; this is the look: quiet, dense, precise. */
export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 6, dark: 6 },
  colors: { accent, gray, dark, red },
  fontFamily: "'Inter Variable', system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "'JetBrains Mono Variable', ui-monospace, SFMono-Regular, Menlo, Consolas, monospace",
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  lineHeights: { xs: '1.4', sm: '1.45', md: '1.5', lg: '1.45', xl: '1.3' },
  spacing: { xs: '8px', sm: '12px', md: '16px', lg: '24px', xl: '32px' },
  radius: { xs: '3px', sm: '5px', md: '7px', lg: '10px', xl: '16px' },
  defaultRadius: 'sm',
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '18px', lineHeight: '1.35' },
      h2: { fontSize: '15px', lineHeight: '1.4' },
      h3: { fontSize: '13px', lineHeight: '1.45' },
    },
  },
  components: {
    Button: Button.extend({
      defaultProps: { size: 'sm' },
      vars: () => ({
        root: { '--button-height': '32px', '--button-padding-x': '12px', '--button-fz': '13px' },
      }),
      styles: { label: { fontWeight: 500 } },
    }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray', size: 28 } }),
    Input: Input.extend({
      defaultProps: { size: 'sm' },
      vars: () => ({
        wrapper: { '--input-height': '32px', '--input-fz': 'var(--hg-input-fz)', '--input-padding': '10px' },
        input: {},
      }),
    }),
    InputWrapper: Input.Wrapper.extend({
      defaultProps: { size: 'sm', inputWrapperOrder: ['label', 'input', 'description', 'error'] },
      styles: {
        label: { fontWeight: 500, marginBottom: 4 },
        description: { marginTop: 4, color: 'var(--hg-dim)', fontSize: 12 },
        error: { marginTop: 4, fontSize: 12 },
      },
    }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 300, withArrow: false, fz: 12, multiline: true } }),
    Menu: Menu.extend({ defaultProps: { shadow: 'md', position: 'bottom-end', transitionProps: { duration: 80 } } }),
    Modal: Modal.extend({
      defaultProps: { overlayProps: overlay, transitionProps: { duration: 100 }, centered: false, yOffset: '12vh' },
      styles: { title: { fontWeight: 600, fontSize: 15 } },
    }),
    Drawer: Drawer.extend({
      defaultProps: { overlayProps: overlay, position: 'right', size: 440, transitionProps: { duration: 140 } },
      styles: { title: { fontWeight: 600, fontSize: 15 } },
    }),
    Tabs: Tabs.extend({ styles: { tab: { padding: '8px 10px', fontSize: 13 } } }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { size: 'xs' } }),
  },
});
