import type { JobDetail } from '@hangar/contract';
import { formatBytes } from '@hangar/contract/words/number';
import { Button } from '@mantine/core';
import { IconPencilPlus } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { CopyButton } from '../../components/copy-button.tsx';
import classes from './job.module.css';

/** The spec as it was sent, as text. */
export function JobSpec({ job }: { job: JobDetail }) {
  return (
    <div className={classes.spec}>
      <div className={classes.specHead}>
        <span className={classes.faint}>{formatBytes(new TextEncoder().encode(job.spec).length)}</span>
        <CopyButton text={job.spec} label="Copy the spec" />
        <Button
          renderRoot={(props) => <Link to="/jobs/new" search={{ from: job.id }} {...props} />}
          variant="default"
          leftSection={<IconPencilPlus size={15} />}
        >
          New job from this
        </Button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
      <pre tabIndex={0}>{job.spec}</pre>
    </div>
  );
}
