import type { SandboxDiff } from '@hangar/contract';
import { Button, TextInput } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { useState } from 'react';
import type { Loadable } from '../../api/loadable.ts';
import { Callout } from '../../components/state/callout.tsx';
import { EmptyState, LinesSkeleton, Loaded } from '../../components/state/states.tsx';
import { type DiffContent, DiffViewer } from '../diff/diff-view.tsx';
import classes from './files.module.css';

export interface TreePanelProps {
  /** Why there is no diff to see now; null: there is. */
  unable: string | null;
  /** Of the sandbox. */
  id: string;
  /** Folder of the sandbox in the work tree; empty: where commands begin. */
  path: string;
  onPath: (path: string) => void;
  made: Loadable<SandboxDiff>;
  content: Loadable<DiffContent>;
  hrefOf: (made: SandboxDiff) => string;
  /** Makes it anew. */
  onAgain: () => void;
  file: string | null;
  onFile: (path: string) => void;
}

/** What was changed in a git work tree of a sandbox, made when it is looked at. */
export function TreePanel(props: TreePanelProps) {
  const { unable, id, made, content, file, onFile } = props;
  const [typed, setTyped] = useState(props.path);
  if (unable !== null) return <EmptyState sentence={unable} />;
  const again = () => (typed === props.path ? props.onAgain() : props.onPath(typed));
  return (
    <>
      <form
        className={classes.bar}
        onSubmit={(event) => {
          event.preventDefault();
          again();
        }}
      >
        <TextInput
          aria-label="Folder of the work tree"
          placeholder="Folder of the work tree; empty: where commands begin"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          style={{ flex: 1 }}
        />
        <Button type="submit" variant="default" leftSection={<IconRefresh size={15} />} loading={made.refetching}>
          Look again
        </Button>
      </form>
      <Loaded of={made} skeleton={<LinesSkeleton lines={8} />}>
        {(found) => (
          <>
            <div className={classes.notices}>
              {(found.leftOut ?? []).map((note) => (
                <Callout key={note} tone="needs">
                  {note}.
                </Callout>
              ))}
            </div>
            {found.filesChanged === 0 ? (
              <EmptyState sentence={`Nothing is changed in ${found.path}.`} />
            ) : (
              <Loaded of={content} skeleton={<LinesSkeleton lines={8} />}>
                {(shown) => (
                  <DiffViewer
                    content={shown}
                    sizeBytes={found.sizeBytes}
                    downloadHref={props.hrefOf(found)}
                    pullCommand={`hangar pull ${id}`}
                    partial={null}
                    file={file}
                    onFile={onFile}
                  />
                )}
              </Loaded>
            )}
          </>
        )}
      </Loaded>
    </>
  );
}
