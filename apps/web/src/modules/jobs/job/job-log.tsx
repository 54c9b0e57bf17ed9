import { clockTime } from '../../../components/figures/time.tsx';
import type { LineRange } from '../../../components/log/log-link.ts';
import { LogView } from '../../../components/log/log-view.tsx';
import { EmptyState, ErrorState } from '../../../components/state/states.tsx';
import type { LogReader, LogReading } from '../../logs/log-reader.ts';

interface JobLogProps {
  jobId: string;
  reader: LogReader;
  reading: LogReading;
  ended: boolean;
  marked: LineRange | null;
  onMark: (range: LineRange | null) => void;
}

/** The log of a job, with what there is to say about the connection. */
export function JobLog({ jobId, reader, reading, ended, marked, onMark }: JobLogProps) {
  const href = `/api/jobs/${jobId}/logs`;
  if (reading.status === 'failed' && reading.error !== null)
    return <ErrorState error={reading.error} onRetry={reader.retry} />;
  return (
    <LogView
      buffer={reader.buffer}
      label={`Log of job ${jobId}`}
      state={reading.status === 'failed' ? 'ended' : reading.status}
      notice={noticeOf(reading)}
      empty={
        reading.status === 'loading' ? null : (
          <EmptyState
            sentence={ended ? 'The job printed nothing.' : 'Nothing printed yet. The log begins when the job starts.'}
          />
        )
      }
      need={reader.need}
      remoteSearch={reader.search}
      marked={marked}
      onMark={onMark}
      rawHref={`${href}?format=text`}
      downloadHref={`${href}?format=gz`}
    />
  );
}

function noticeOf({ status, error, freshAt }: LogReading): string | null {
  if (status === 'loading' && error !== null) return `${error.message} Trying again.`;
  if (status !== 'reconnecting') return null;
  return freshAt === null ? 'Reconnecting.' : `Reconnecting. Lines up to ${clockTime(freshAt)} are here.`;
}
