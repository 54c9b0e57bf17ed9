import type { FileEntry, Folder } from '@hangar/contract';
import { showPath } from '@hangar/contract/path-bytes';
import { formatCount } from '@hangar/contract/words/number';
import { formatBytes } from '@hangar/contract/words/size';
import { Button, FileButton } from '@mantine/core';
import {
  IconDownload,
  IconFile,
  IconFolder,
  IconFolderPlus,
  IconLink,
  IconPencil,
  IconTrash,
  IconUpload,
} from '@tabler/icons-react';
import type { Loadable } from '../../api/loadable.ts';
import { type Asked, Confirm } from '../../components/actions/confirm.tsx';
import type { Action } from '../../components/actions/use-action.ts';
import { Time } from '../../components/figures/time.tsx';
import { type Column, DataTable } from '../../components/list/data-table.tsx';
import { Callout } from '../../components/state/callout.tsx';
import { EmptyState, ErrorState, LinesSkeleton, Loaded, TableSkeleton } from '../../components/state/states.tsx';
import { FileName, type Naming } from './file-name.tsx';
import classes from './files.module.css';

/** A file of more bytes is not shown, only downloaded. */
export const SHOWN_MOST = 1024 * 1024;

export interface OpenFile {
  readonly entry: FileEntry;
  /** Null: it is no text. */
  readonly text: Loadable<string | null>;
}

export interface FilesPanelProps {
  /** Why there are none to see now; null: there are. */
  unable: string | null;
  folder: Loadable<Folder>;
  /** Null: the home folder. */
  onFolder: (path: string | null) => void;
  open: OpenFile | null;
  onOpen: (entry: FileEntry | null) => void;
  /** The address of its bytes, to save it: a folder as a tar archive. */
  hrefOf: (entry: FileEntry) => string;
  upload: Action<[File]>;
  remove: Asked<FileEntry>;
  naming: Naming;
}

/** The files of a sandbox: a folder at a time, a text beside it. */
export function FilesPanel(props: FilesPanelProps) {
  const { unable, folder, upload, open, naming } = props;
  if (unable !== null) return <EmptyState sentence={unable} />;
  const lost = folder.data === undefined && folder.error !== null;
  return (
    <>
      {lost ? (
        <div className={classes.bar}>
          <Button variant="default" onClick={() => props.onFolder(null)}>
            To the home folder
          </Button>
        </div>
      ) : null}
      <Loaded of={folder} skeleton={<TableSkeleton rows={8} columns={4} />}>
        {(shown) => (
          <>
            <div className={classes.bar}>
              <Crumbs path={shown.path} onFolder={props.onFolder} />
              <span className={classes.actions}>
                <Button
                  variant="default"
                  leftSection={<IconFolderPlus size={15} />}
                  onClick={() => naming.ask('folder')}
                >
                  New folder
                </Button>
                <FileButton onChange={(file) => file && upload.run(file)}>
                  {(button) => (
                    <Button
                      {...button}
                      variant="default"
                      leftSection={<IconUpload size={15} />}
                      loading={upload.pending}
                    >
                      Upload
                    </Button>
                  )}
                </FileButton>
              </span>
            </div>
            <div className={classes.notices}>
              {upload.error === null ? null : <ErrorState error={upload.error} />}
              {shown.more ? (
                <Callout tone="needs">
                  Only {formatCount(shown.entries.length)} entries are shown; there are more in this folder.
                </Callout>
              ) : null}
            </div>
            {shown.entries.length === 0 ? (
              <EmptyState sentence="This folder is empty." />
            ) : (
              <Entries {...props} shown={shown} />
            )}
            {open === null ? null : <Viewer {...props} open={open} />}
            <AskRemove remove={props.remove} />
            <FileName naming={naming} taken={shown.entries} />
          </>
        )}
      </Loaded>
    </>
  );
}

function Crumbs({ path, onFolder }: { path: string; onFolder: (path: string) => void }) {
  const parts = path.split('/').filter((part) => part !== '');
  return (
    <nav className={classes.crumbs} aria-label="Folders above">
      <button type="button" className={classes.crumb} onClick={() => onFolder('/')}>
        /
      </button>
      {parts.map((part, index) => {
        const to = `/${parts.slice(0, index + 1).join('/')}`;
        return (
          <span key={to}>
            {index === 0 ? null : <span aria-hidden>/</span>}
            <button
              type="button"
              className={classes.crumb}
              aria-current={index === parts.length - 1 ? 'location' : undefined}
              onClick={() => onFolder(to)}
            >
              {showPath(part)}
            </button>
          </span>
        );
      })}
    </nav>
  );
}

const ICONS = { file: IconFile, folder: IconFolder, link: IconLink, other: IconFile };

function Entries({ shown, onFolder, onOpen, hrefOf, remove, naming }: FilesPanelProps & { shown: Folder }) {
  const columns: Column<FileEntry>[] = [
    {
      ...{ id: 'name', header: 'Name', phone: 'title' },
      cell: (entry) => {
        const Icon = ICONS[entry.type];
        const name = showPath(entry.name);
        const open =
          entry.type === 'file' && entry.size <= SHOWN_MOST
            ? () => onOpen(entry)
            : entry.type === 'folder' || entry.type === 'link'
              ? () => onFolder(`${shown.path === '/' ? '' : shown.path}/${entry.name}`)
              : null;
        return (
          <span className={classes.name}>
            <Icon size={15} aria-hidden />
            {open === null ? (
              <span className={classes.plain}>{name}</span>
            ) : (
              <button type="button" className={classes.crumb} onClick={open}>
                {name}
              </button>
            )}
            {entry.target === null ? null : <span className={classes.quiet}>→ {showPath(entry.target)}</span>}
          </span>
        );
      },
    },
    {
      ...{ id: 'size', header: 'Size', width: '110px', align: 'right' },
      cell: ({ type, size }) => (type === 'file' ? formatBytes(size) : ''),
    },
    {
      ...{ id: 'mode', header: 'Mode', width: '80px', from: 'md', phone: 'hide' },
      cell: ({ mode }) => <code>{mode.toString(8).padStart(4, '0')}</code>,
    },
    {
      ...{ id: 'modified', header: 'Changed', width: '150px' },
      cell: ({ modifiedAt }) => <Time at={modifiedAt} />,
    },
  ];
  return (
    <DataTable
      label="Files"
      columns={columns}
      rows={shown.entries}
      rowKey={({ name }) => name}
      actions={(entry) => (
        <span className={classes.actions}>
          {entry.type === 'file' || entry.type === 'folder' ? (
            <Button
              component="a"
              href={hrefOf(entry)}
              download
              variant="subtle"
              size="compact-sm"
              aria-label={`Download ${showPath(entry.name)}`}
            >
              <IconDownload size={15} />
            </Button>
          ) : null}
          <Button
            variant="subtle"
            size="compact-sm"
            aria-label={`Rename ${showPath(entry.name)}`}
            onClick={() => naming.ask(entry)}
          >
            <IconPencil size={15} />
          </Button>
          <Button
            variant="subtle"
            size="compact-sm"
            aria-label={`Remove ${showPath(entry.name)}`}
            onClick={() => remove.ask(entry)}
          >
            <IconTrash size={15} />
          </Button>
        </span>
      )}
    />
  );
}

function Viewer({ open, onOpen, hrefOf }: FilesPanelProps & { open: OpenFile }) {
  const name = showPath(open.entry.name);
  return (
    <section className={classes.viewer} aria-label={name}>
      <div className={classes.bar}>
        <code>{name}</code>
        <span className={classes.actions}>
          <Button component="a" href={hrefOf(open.entry)} download variant="default">
            Download
          </Button>
          <Button variant="default" onClick={() => onOpen(null)}>
            Close the file
          </Button>
        </span>
      </div>
      <Loaded of={open.text} skeleton={<LinesSkeleton lines={6} />}>
        {(text) =>
          text === null ? (
            <EmptyState sentence="This file is no text: download it to look at it." />
          ) : text === '' ? (
            <EmptyState sentence="This file is empty." />
          ) : (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys
            <pre className={classes.text} tabIndex={0}>
              {text}
            </pre>
          )
        }
      </Loaded>
    </section>
  );
}

function AskRemove({ remove }: { remove: Asked<FileEntry> }) {
  const { about } = remove;
  const name = about === null ? '' : showPath(about.name);
  return (
    <Confirm
      {...remove.dialog}
      title={`Remove ${name}?`}
      gone={about?.type === 'folder' ? 'The folder goes with all that is in it.' : 'The file cannot be had back.'}
      action="Remove"
    />
  );
}
