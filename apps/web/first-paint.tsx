import { basename } from 'node:path';
import { renderToStaticMarkup } from 'react-dom/server';
import type { Plugin } from 'vite';
import { Mark } from './src/shell/mark.tsx';
import { PLACES } from './src/shell/places.ts';
import { measures, SANS, tokens } from './src/tokens.ts';

/** The class of a rule of a CSS module, so that the shell below has the look of the real one: `shell-rail`. */
export const scopedName = (name: string, file: string): string => `${basename(file).split('.')[0]}-${name}`;
const of = (name: string) => scopedName(name, 'shell.module.css');

/** The frame of every page of the app, as ShellView draws it while it knows nothing yet. */
function Shell() {
  return (
    <div className={of('shell')} data-first-paint>
      <nav className={of('rail')} aria-label="Places">
        <a href="/jobs" className={of('brand')}>
          <Mark />
          <span className={of('label')}>Hangar</span>
        </a>
        {PLACES.map(({ to, label, Icon }) => [
          to === '/settings' ? <div key="spring" className={of('spring')} /> : null,
          <a key={to} href={to} className={of('place')}>
            <Icon size={17} stroke={1.7} aria-hidden />
            <span className={of('label')}>{label}</span>
          </a>,
        ])}
        <div className={of('version')} />
      </nav>
      <div className={of('column')}>
        <header className={of('top')} />
      </div>
      <nav className={of('bottom')} aria-label="Places">
        {PLACES.map(({ to, label, Icon }) => (
          <a key={to} href={to}>
            <Icon size={20} stroke={1.7} aria-hidden />
            {label}
          </a>
        ))}
      </nav>
    </div>
  );
}

const block = (values: Record<string, string>) =>
  Object.entries(values)
    .map(([name, value]) => `${name}:${value}`)
    .join(';');

/** What the app sets when it starts and the shell needs before. */
function styles(): string {
  const here = (link: string, part = '') =>
    PLACES.map(({ to }) => `[data-place="${to}"] [data-first-paint] ${link}[href="${to}"]${part}`).join(',');
  const place = `.${of('place')}`;
  return [
    `:root{${block(measures)}}`,
    `:root{${block(tokens.light)}}`,
    `[data-mantine-color-scheme=dark]{${block(tokens.dark)}}`,
    `body{margin:0;font-family:${SANS}}`,
    ':root:not([data-place]) [data-first-paint]{display:none}',
    `${here(place)}{background:var(--hg-active);color:var(--hg-text)}`,
    `${here(place, ' svg')},${here(`.${of('bottom')} a`)}{color:var(--hg-accent)}`,
  ].join('\n');
}

/** Puts the shell into the page, so that it stands before the app is loaded, and asks for the font of its words at once. */
export function firstPaint(): Plugin {
  return {
    name: 'first-paint',
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        const font = Object.keys(bundle ?? {}).find((file) => /inter-latin-wght-normal.*\.woff2$/.test(file));
        return {
          html: html.replace('<div id="root"></div>', `<div id="root">${renderToStaticMarkup(<Shell />)}</div>`),
          tags: [
            ...(font === undefined
              ? []
              : [
                  {
                    tag: 'link',
                    attrs: { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: true, href: `/${font}` },
                    injectTo: 'head-prepend' as const,
                  },
                ]),
            { tag: 'style', children: styles(), injectTo: 'head' },
          ],
        };
      },
    },
  };
}
