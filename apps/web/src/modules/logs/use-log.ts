import { useEffect, useState, useSyncExternalStore } from 'react';
import { useStreams } from '../../api/streams/streams.tsx';
import { LogReader, type LogReading } from './log-reader.ts';

/** The log behind a URL like `/api/jobs/j_…/logs`, read while the component is there. */
export function useLog(url: string): { reader: LogReader; reading: LogReading } {
  const streams = useStreams();
  const [made, setMade] = useState(() => ({ url, reader: new LogReader({ url, streams }) }));
  const reader = made.url === url ? made.reader : new LogReader({ url, streams });
  if (made.url !== url) setMade({ url, reader });
  useEffect(() => {
    const stop = reader.start();
    addEventListener('online', reader.retry);
    return () => {
      removeEventListener('online', reader.retry);
      stop();
    };
  }, [reader]);
  return { reader, reading: useSyncExternalStore(reader.subscribe, reader.snapshot) };
}
