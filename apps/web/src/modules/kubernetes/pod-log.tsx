import { Button } from '@mantine/core';
import type { LogBuffer } from '../../components/log/log-buffer.ts';
import type { LineRange } from '../../components/log/log-link.ts';
import { LogView } from '../../components/log/log-view.tsx';
import { EmptyState, ErrorState } from '../../components/state/states.tsx';
import type { PodLogReading } from './pod-log-reader.ts';

export interface PodLogProps {
  /** "web in shop/checkout-1" */
  label: string;
  buffer: LogBuffer;
  reading: PodLogReading;
  onRetry: () => void;
  /** Path of the log as text, without a query. */
  href: string;
  query: Readonly<Record<string, string>>;
  marked: LineRange | null;
  onMark: (range: LineRange | null) => void;
}

/** In the place of the log, until there can be one; the page looks again by itself. */
export const NoLogYet = ({ container }: { container: string }) => (
  <EmptyState sentence={`The container ${container} has not begun: it has no log yet.`} />
);

/** The log of a container, with what there is to say about the connection. */
export function PodLog({ label, buffer, reading, onRetry, href, query, marked, onMark }: PodLogProps) {
  const { status, error } = reading;
  if (status === 'failed' && error !== null)
    return error.code === 'pod_log_not_there' ? (
      <EmptyState
        sentence={`${error.message} ${error.wayOut}`}
        action={
          <Button variant="default" onClick={onRetry}>
            Look again
          </Button>
        }
      />
    ) : (
      <ErrorState error={error} onRetry={onRetry} />
    );
  const text = `${href}?${new URLSearchParams({ ...query, tail: '100000' })}`;
  return (
    <LogView
      buffer={buffer}
      label={`Log of ${label}`}
      state={status === 'failed' ? 'ended' : status}
      notice={status === 'reconnecting' ? 'Reconnecting. The lines so far are here.' : null}
      empty={
        status === 'loading' ? null : (
          <EmptyState sentence={status === 'ended' ? 'It printed nothing.' : 'Nothing printed yet.'} />
        )
      }
      marked={marked}
      onMark={onMark}
      rawHref={text}
      downloadHref={text}
    />
  );
}
