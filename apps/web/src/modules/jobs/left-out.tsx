import type { DiffStat } from '@hangar/contract';
import { Callout } from '../../components/callout.tsx';

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
