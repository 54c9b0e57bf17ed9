import { StreamHub } from './stream-hub.ts';
import type { TabMessage } from './stream-messages.ts';

// The worker that all tabs of a browser share: it lives as long as one of them, so nothing is handed over when one is closed.
interface Connecting extends Event {
  readonly ports: readonly MessagePort[];
}

const SWEEP_MS = 15_000;
const hub = new StreamHub({ places: 3 });

addEventListener('connect', (event) => {
  const [port] = (event as Connecting).ports;
  if (port === undefined) return;
  const hear = hub.attach((message) => port.postMessage(message));
  port.onmessage = ({ data }: MessageEvent<TabMessage>) => hear(data);
});
setInterval(() => hub.sweep(), SWEEP_MS);
