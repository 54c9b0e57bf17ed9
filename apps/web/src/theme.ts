import {
  type ActionIconFactory,
  type ButtonFactory,
  type CSSVariablesResolver,
  createTheme,
  type DrawerFactory,
  type ExtendComponent,
  type InputFactory,
  type InputWrapperFactory,
  type MantineColorsTuple,
  type MenuFactory,
  type ModalFactory,
  type SegmentedControlFactory,
  type TabsFactory,
  type TooltipFactory,
} from '@mantine/core';
import { MONO, measures, SANS, tokens } from './tokens.ts';

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
  '--mantine-color-accent-text': 'var(--hg-accent)',
  '--mantine-color-accent-light-color': 'var(--hg-accent)',
  '--mantine-color-accent-light': 'var(--hg-accent-soft)',
  '--mantine-color-accent-light-hover': 'var(--hg-accent-soft)',
  '--mantine-color-red-text': 'var(--hg-bad)',
  '--mantine-color-red-light-color': 'var(--hg-bad)',
  '--mantine-color-red-light': 'color-mix(in srgb, var(--hg-bad) 8%, transparent)',
  '--mantine-color-red-light-hover': 'color-mix(in srgb, var(--hg-bad) 10%, transparent)',
  '--mantine-color-gray-light-color': 'var(--hg-dim)',
  '--mantine-color-gray-light-hover': 'var(--hg-hover)',
  '--mantine-color-disabled': 'var(--hg-sunken)',
  '--mantine-color-disabled-color': 'var(--hg-faint)',
  '--mantine-color-disabled-border': 'var(--hg-line)',
};

export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: { ...measures, '--hg-mono': MONO },
  light: { ...tokens.light, ...mapped },
  dark: { ...tokens.dark, ...mapped },
});

const overlay = { backgroundOpacity: 0.4, blur: 0 };

/**
 * Mantine is the material; this is the look: quiet, dense, precise. Components are named by their types: a page loads only those
 * it draws.
 */
export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 6, dark: 6 },
  colors: { accent, gray, dark, red },
  fontFamily: SANS,
  fontFamilyMonospace: MONO,
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
    Button: {
      defaultProps: { size: 'sm' },
      vars: () => ({
        root: { '--button-height': '32px', '--button-padding-x': '12px', '--button-fz': '13px' },
      }),
      styles: { label: { fontWeight: 500 } },
    } satisfies ExtendComponent<ButtonFactory>,
    ActionIcon: {
      defaultProps: { variant: 'subtle', color: 'gray', size: 28 },
    } satisfies ExtendComponent<ActionIconFactory>,
    Input: {
      defaultProps: { size: 'sm' },
      vars: () => ({
        wrapper: { '--input-height': '32px', '--input-fz': 'var(--hg-input-fz)', '--input-padding': '10px' },
        input: {},
      }),
    } satisfies ExtendComponent<InputFactory>,
    InputWrapper: {
      defaultProps: { size: 'sm', inputWrapperOrder: ['label', 'input', 'description', 'error'] },
      styles: {
        label: { fontWeight: 500, marginBottom: 4 },
        description: { marginTop: 4, color: 'var(--hg-dim)', fontSize: 12 },
        error: { marginTop: 4, fontSize: 12 },
      },
    } satisfies ExtendComponent<InputWrapperFactory>,
    Tooltip: {
      defaultProps: { openDelay: 300, withArrow: false, fz: 12, multiline: true },
    } satisfies ExtendComponent<TooltipFactory>,
    Menu: {
      defaultProps: { shadow: 'md', position: 'bottom-end', transitionProps: { duration: 80 } },
    } satisfies ExtendComponent<MenuFactory>,
    Modal: {
      defaultProps: {
        ...{ overlayProps: overlay, transitionProps: { duration: 100 }, centered: false, yOffset: '12vh' },
        closeButtonProps: { 'aria-label': 'Close' },
      },
      styles: { title: { fontWeight: 600, fontSize: 15 }, content: { border: '1px solid var(--hg-line)' } },
    } satisfies ExtendComponent<ModalFactory>,
    Drawer: {
      defaultProps: {
        ...{ overlayProps: overlay, position: 'right', size: 440, transitionProps: { duration: 140 } },
        closeButtonProps: { 'aria-label': 'Close' },
      },
      styles: { title: { fontWeight: 600, fontSize: 15 } },
    } satisfies ExtendComponent<DrawerFactory>,
    Tabs: { styles: { tab: { padding: '8px 10px', fontSize: 13 } } } satisfies ExtendComponent<TabsFactory>,
    SegmentedControl: { defaultProps: { size: 'xs' } } satisfies ExtendComponent<SegmentedControlFactory>,
  },
});
