import type { Execution } from '@hangar/contract';
import type { LogBuffer } from '../../components/log/log-buffer.ts';
import { LogView } from '../../components/log/log-view.tsx';
import { EmptyState, ErrorState } from '../../components/state/states.tsx';
import type { OutputReading } from './output-reader.ts';

export interface ExecutionOutputProps {
  execution: Pick<Execution, 'id' | 'title'>;
  buffer: LogBuffer;
  reading: OutputReading;
  onRetry: () => void;
}

const unmarked = () => {};

/** What an execution prints, with what there is to say about the connection. */
export function ExecutionOutput({ execution, buffer, reading, onRetry }: ExecutionOutputProps) {
  const { status, error } = reading;
  if (status === 'failed' && error !== null) return <ErrorState error={error} onRetry={onRetry} />;
  const href = `/api/drivers/executions/${execution.id}/output`;
  return (
    <LogView
      buffer={buffer}
      label={`Output of ${execution.title}`}
      state={status === 'failed' ? 'ended' : status}
      notice={status === 'reconnecting' ? 'Reconnecting. The lines so far are here.' : null}
      empty={
        status === 'loading' ? null : (
          <EmptyState sentence={status === 'ended' ? 'It printed nothing.' : 'Nothing printed yet.'} />
        )
      }
      marked={null}
      onMark={unmarked}
      rawHref={href}
      downloadHref={`${href}?download=true`}
    />
  );
}
