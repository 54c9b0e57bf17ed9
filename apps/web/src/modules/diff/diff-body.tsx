import '@git-diff-view/react/styles/diff-view-pure.css';
import { DiffModeEnum, DiffView } from '@git-diff-view/react';
import { useComputedColorScheme } from '@mantine/core';
import { useMemo } from 'react';
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
  return (
    <DiffView
      data={data}
      diffViewMode={mode === 'split' ? DiffModeEnum.Split : DiffModeEnum.Unified}
      diffViewTheme={scheme}
      diffViewWrap={wrap}
      diffViewHighlight={languageOf(file.path) !== null}
      diffViewFontSize={12}
    />
  );
}
