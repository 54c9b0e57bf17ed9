import '@git-diff-view/react/styles/diff-view-pure.css';
import { DiffModeEnum, DiffView } from '@git-diff-view/react';
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useMemo, useRef } from 'react';
import { type DiffFile, languageOf, withoutTricks } from './parse-diff.ts';

interface DiffBodyProps {
  file: DiffFile;
  mode: 'unified' | 'split';
  wrap: boolean;
}

/** The hunks of one file. In a chunk of its own: the highlighter is large and only diffs need it. */
export function DiffBody({ file, mode, wrap }: DiffBodyProps) {
  const scheme = useComputedColorScheme('light');
  // Names stay out of it: what it is given decides only about colours.
  const data = useMemo(() => {
    const language = languageOf(file.path);
    const side = { fileName: 'file', fileLang: language, content: null };
    return { oldFile: side, newFile: side, hunks: [`--- a/file\n+++ b/file\n${withoutTricks(file.hunks)}`] };
  }, [file]);
  const body = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Long lines are scrolled to by keys, too; the library leaves its scroller out of their way.
    for (const scroller of body.current?.querySelectorAll<HTMLElement>('.diff-table-scroll-container') ?? [])
      scroller.tabIndex = 0;
  });
  return (
    <div ref={body}>
      <DiffView
        data={data}
        diffViewMode={mode === 'split' ? DiffModeEnum.Split : DiffModeEnum.Unified}
        diffViewTheme={scheme}
        diffViewWrap={wrap}
        diffViewHighlight={languageOf(file.path) !== null}
        diffViewFontSize={12}
      />
    </div>
  );
}
