import type { Artifact, DiffStat } from '@hangar/contract';
import { formatBytes } from '@hangar/contract/words/size';
import { Button } from '@mantine/core';
import { IconDownload, IconPackage } from '@tabler/icons-react';
import { CopyButton } from '../../../components/actions/copy.tsx';
import { Time } from '../../../components/figures/time.tsx';
import { type Column, DataTable } from '../../../components/list/data-table.tsx';
import { Callout } from '../../../components/state/callout.tsx';
import { EmptyState } from '../../../components/state/states.tsx';
import { visiblePath } from '../../diff/parse-diff.ts';
import classes from './job.module.css';

const columns: readonly Column<Artifact>[] = [
  {
    id: 'name',
    header: 'Name',
    cell: (artifact) => (
      <span>
        {visiblePath(artifact.name)}
        {artifact.partial ? <span className={classes.faint}> partial</span> : null}
      </span>
    ),
  },
  { id: 'size', header: 'Size', cell: (artifact) => formatBytes(artifact.sizeBytes), align: 'right', width: '100px' },
  {
    id: 'hash',
    header: 'SHA-256',
    from: 'md',
    phone: 'hide',
    cell: (artifact) => (
      <span className={classes.id}>
        <code>{artifact.sha256.slice(0, 12)}</code>
        <CopyButton text={artifact.sha256} label="Copy the SHA-256" />
      </span>
    ),
  },
  { id: 'made', header: 'Made', cell: (artifact) => <Time at={artifact.createdAt} />, width: '130px' },
];

/** Address of an artifact of a job. */
export const artifactHref = (jobId: string, name: string): string =>
  `/api/jobs/${encodeURIComponent(jobId)}/artifacts/${name.split('/').map(encodeURIComponent).join('/')}`;

export function ArtifactList(props: { jobId: string; artifacts: readonly Artifact[]; ended: boolean }) {
  if (props.artifacts.length === 0)
    return (
      <EmptyState
        icon={<IconPackage size={26} />}
        sentence={
          props.ended
            ? 'The job left nothing behind.'
            : 'What the job leaves behind appears here: its diff, and a checkpoint of it every few minutes.'
        }
      />
    );
  return (
    <DataTable
      label="Artifacts"
      columns={columns}
      rows={props.artifacts}
      rowKey={(artifact) => artifact.name}
      actions={(artifact) => (
        <Button
          component="a"
          href={artifactHref(props.jobId, artifact.name)}
          download
          variant="default"
          size="compact-sm"
          leftSection={<IconDownload size={14} />}
          aria-label={`Download ${visiblePath(artifact.name)}`}
        >
          Download
        </Button>
      )}
    />
  );
}

/** What the agent made and the diff does not hold; nothing when all of it is there. */
export function LeftOut({ diff }: { diff: DiffStat | null }) {
  const notes = diff?.leftOut ?? [];
  if (notes.length === 0) return null;
  return (
    <Callout tone="needs">
      {notes.map((note) => (
        <div key={note}>{note}.</div>
      ))}
    </Callout>
  );
}
