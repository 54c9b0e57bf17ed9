import { showPath } from '@hangar/contract/path-bytes';
import { formatCount, plural } from '@hangar/contract/words/number';
import { formatBytes } from '@hangar/contract/words/size';
import { Button, SegmentedControl, Skeleton } from '@mantine/core';
import {
  IconChevronDown,
  IconChevronRight,
  IconDownload,
  IconFileDiff,
  IconFileMinus,
  IconFilePlus,
  IconFolder,
} from '@tabler/icons-react';
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { Command, CopyButton } from '../../components/actions/copy.tsx';
import { Callout } from '../../components/state/callout.tsx';
import { EmptyState } from '../../components/state/states.tsx';
import { Counts } from './counts.tsx';
import classes from './diff.module.css';
import { type DiffFolder, inTreeOrder, treeOf } from './diff-tree.ts';
import { type DiffFile, visiblePath } from './parse-diff.ts';

const DiffBody = lazy(async () => ({ default: (await import('./diff-body.tsx')).DiffBody }));

/** A file with more lines of diff is drawn only when asked for. */
export const LARGE_LINES = 2000;
const FILES_AT_ONCE = 60;

export interface DiffContent {
  readonly files: readonly DiffFile[];
  /** false: too large to draw here; the files are a list and the diff is downloaded. */
  readonly drawable: boolean;
}

export interface DiffViewerProps {
  content: DiffContent;
  sizeBytes: number;
  downloadHref: string;
  /** `hangar pull j_…` */
  pullCommand: string;
  /** Why it is not the whole work; null when it is. */
  partial: string | null;
  /** Path of the file to show first, as `showPath` writes it. */
  file: string | null;
  onFile: (path: string) => void;
}

/** A diff by file: the tree on the left, each file with what happened to it. Files are drawn when they come into view. */
export function DiffViewer({ content, sizeBytes, downloadHref, pullCommand, partial, file, onFile }: DiffViewerProps) {
  const [mode, setMode] = useState<'unified' | 'split'>('unified');
  const [wrap, setWrap] = useState(false);
  const tree = useMemo(() => treeOf(content.files), [content.files]);
  const files = useMemo(() => inTreeOrder(tree), [tree]);
  const asked = file === null ? -1 : files.findIndex((candidate) => showPath(candidate.path) === file);
  const [shown, setShown] = useState(FILES_AT_ONCE);
  const until = Math.max(shown, asked + 1);
  const cards = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (asked >= 0) cards.current?.children[asked]?.scrollIntoView({ block: 'start' });
  }, [asked]);

  if (files.length === 0) return <EmptyState icon={<IconFileDiff size={28} />} sentence="The job changed no files." />;
  const insertions = files.reduce((sum, entry) => sum + entry.insertions, 0);
  const deletions = files.reduce((sum, entry) => sum + entry.deletions, 0);
  return (
    <div className={classes.viewer}>
      {partial === null ? null : <Callout tone="needs">{partial}</Callout>}
      <div className={classes.head}>
        <span className="hg-num">
          {plural(files.length, 'file')} changed <Counts insertions={insertions} deletions={deletions} />
        </span>
        <div className={classes.pull}>
          <Command text={pullCommand} />
        </div>
        <div className={classes.tools}>
          {content.drawable ? (
            <>
              <SegmentedControl
                className={classes.modes}
                aria-label="Layout"
                value={mode}
                onChange={(value) => setMode(value === 'split' ? 'split' : 'unified')}
                data={[
                  { value: 'unified', label: 'Unified' },
                  { value: 'split', label: 'Split' },
                ]}
              />
              <Button variant="default" aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
                {wrap ? 'Do not wrap' : 'Wrap'}
              </Button>
            </>
          ) : null}
          <Button component="a" href={downloadHref} download variant="default" leftSection={<IconDownload size={15} />}>
            {formatBytes(sizeBytes)}
          </Button>
        </div>
      </div>
      {content.drawable ? null : (
        <p className={classes.note}>
          This diff is {formatBytes(sizeBytes)}: too large to draw in a browser. The files are listed; download it, or
          pull it.
        </p>
      )}
      <div className={classes.columns} data-list={!content.drawable || undefined}>
        <nav className={classes.tree} aria-label="Changed files">
          <Folder folder={tree} depth={0} selected={file} onFile={onFile} />
        </nav>
        {content.drawable ? (
          <div>
            <div ref={cards}>
              {files.slice(0, until).map((entry) => (
                <FileCard key={entry.path} file={entry} mode={mode} wrap={wrap} />
              ))}
            </div>
            {until >= files.length ? null : (
              <Button variant="default" onClick={() => setShown(until + FILES_AT_ONCE)}>
                Show {formatCount(Math.min(FILES_AT_ONCE, files.length - until))} more of {formatCount(files.length)}
              </Button>
            )}
          </div>
        ) : null}
      </div>
    </div>
  );
}

interface FolderProps {
  folder: DiffFolder;
  depth: number;
  selected: string | null;
  onFile: (path: string) => void;
}

function Folder({ folder, depth, selected, onFile }: FolderProps) {
  const [isOpen, setOpen] = useState(true);
  const indent = { paddingLeft: 8 + depth * 14 };
  const inner = folder.name === '' ? 0 : depth + 1;
  return (
    <>
      {folder.name === '' ? null : (
        <button
          type="button"
          className={classes.folder}
          style={indent}
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? <IconChevronDown size={13} aria-hidden /> : <IconChevronRight size={13} aria-hidden />}
          <IconFolder size={14} aria-hidden />
          <span className={classes.name}>{visiblePath(folder.name)}</span>
        </button>
      )}
      {isOpen ? (
        <>
          {folder.folders.map((child) => (
            <Folder key={child.path} folder={child} depth={inner} selected={selected} onFile={onFile} />
          ))}
          {folder.files.map((file) => (
            <button
              key={file.path}
              type="button"
              className={classes.entry}
              style={{ paddingLeft: 8 + inner * 14 }}
              aria-current={showPath(file.path) === selected ? 'true' : undefined}
              title={visiblePath(file.path)}
              onClick={() => onFile(showPath(file.path))}
            >
              <ChangeIcon file={file} />
              <span className={classes.name}>{visiblePath(file.path.slice(file.path.lastIndexOf('/') + 1))}</span>
              {file.isBinary ? <span className={classes.word}>binary</span> : <Counts {...file} />}
            </button>
          ))}
        </>
      ) : null}
    </>
  );
}

function ChangeIcon({ file }: { file: DiffFile }) {
  const Icon = file.change === 'added' ? IconFilePlus : file.change === 'deleted' ? IconFileMinus : IconFileDiff;
  return <Icon size={14} aria-label={WORDS[file.change]} className={classes.icon} />;
}

const WORDS: Record<DiffFile['change'], string> = {
  added: 'added',
  deleted: 'deleted',
  modified: 'changed',
  renamed: 'renamed',
  copied: 'copied',
  mode: 'mode changed',
};

interface FileCardProps {
  file: DiffFile;
  mode: 'unified' | 'split';
  wrap: boolean;
  /** Stands in place of the path where several cards are of one file. */
  heading?: ReactNode;
  /** Which one it is, where the same file is shown in several ways. */
  way?: string;
}

/** One file of a diff with its hunks. */
export function FileCard({ file, mode, wrap, heading, way }: FileCardProps) {
  const isLarge = file.lines > LARGE_LINES;
  const [isOpen, setOpen] = useState(true);
  const [wantsLarge, setWantsLarge] = useState(false);
  const body = useRef<HTMLDivElement>(null);
  const isNear = useNear(body, isOpen);
  const name = visiblePath(file.path);
  return (
    <section className={classes.card} aria-label={way === undefined ? name : `${name}, ${way}`}>
      <header className={classes.cardHead}>
        <button
          type="button"
          className={classes.toggle}
          aria-expanded={isOpen}
          aria-label={`Diff of ${name}`}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? <IconChevronDown size={15} /> : <IconChevronRight size={15} />}
        </button>
        {heading === undefined ? (
          <>
            <PathOf file={file} />
            <CopyButton text={showPath(file.path)} label="Copy the path" />
          </>
        ) : (
          heading
        )}
        {file.change === 'modified' ? null : <span className={classes.word}>{WORDS[file.change]}</span>}
        {file.mode === null ? null : (
          <span className={classes.word}>
            {file.mode.from} → {file.mode.to}
          </span>
        )}
        <span className={classes.cardCounts}>
          {file.isBinary ? <span className={classes.word}>binary</span> : <Counts {...file} />}
        </span>
      </header>
      {isOpen ? (
        <div ref={body} className={classes.cardBody}>
          <CardBody file={file} isLarge={isLarge && !wantsLarge} onLarge={() => setWantsLarge(true)}>
            {isNear ? (
              <Suspense fallback={<Placeholder lines={file.lines} />}>
                <DiffBody file={file} mode={mode} wrap={wrap} />
              </Suspense>
            ) : (
              <Placeholder lines={file.lines} />
            )}
          </CardBody>
        </div>
      ) : null}
    </section>
  );
}

function PathOf({ file }: { file: DiffFile }) {
  return (
    <span className={classes.path}>
      {file.oldPath === null ? null : <span className={classes.old}>{visiblePath(file.oldPath)} → </span>}
      {visiblePath(file.path)}
    </span>
  );
}

function CardBody(props: { file: DiffFile; isLarge: boolean; onLarge: () => void; children: ReactNode }) {
  const { file, isLarge, onLarge, children } = props;
  if (file.isBinary) return <p className={classes.note}>A binary file: pull the diff to have it.</p>;
  if (file.hunks === '')
    return (
      <p className={classes.note}>
        {file.change === 'added' || file.change === 'deleted' ? 'An empty file.' : 'The content did not change.'}
      </p>
    );
  if (!isLarge) return children;
  return (
    <p className={classes.note}>
      {formatCount(file.lines)} lines of diff are not drawn at once.{' '}
      <Button size="compact-sm" variant="default" onClick={onLarge}>
        Show them
      </Button>
    </p>
  );
}

/** Keeps about the room that the diff will take, so that nothing jumps when it is drawn. */
function Placeholder({ lines }: { lines: number }) {
  return (
    <div style={{ height: Math.min(lines, LARGE_LINES) * 20, padding: 12 }}>
      <Skeleton height={8} width="40%" />
    </div>
  );
}

/** Whether an element has come near the window; stays true. */
function useNear(element: { current: HTMLElement | null }, enabled: boolean): boolean {
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    const target = element.current;
    if (!enabled || isNear || target === null) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) setNear(true);
      },
      { rootMargin: '600px 0px' },
    );
    observer.observe(target);
    return () => observer.disconnect();
  }, [element, enabled, isNear]);
  return isNear;
}
