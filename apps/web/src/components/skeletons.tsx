import { type ReactNode, useEffect, useState } from 'react';
import classes from './states.module.css';

/** Draws nothing for 200 ms: a quick answer shows no skeleton at all. Keeps the place of `height` meanwhile. */
export function Delayed({ children, ms = 200 }: { children: ReactNode; ms?: number }) {
  const [late, setLate] = useState(ms === 0);
  useEffect(() => {
    if (ms === 0) return;
    const timer = setTimeout(() => setLate(true), ms);
    return () => clearTimeout(timer);
  }, [ms]);
  return (
    <div aria-busy className={classes.skeleton} style={late ? undefined : { visibility: 'hidden' }}>
      {children}
    </div>
  );
}

/** One grey bar in the place of a text. */
export function Bone({ width = '100%', height = 10 }: { width?: number | string; height?: number }) {
  return <div className={classes.bone} style={{ width, height }} />;
}

const SHARES = [38, 22, 30, 26, 18, 24];

/** In the layout of a DataTable. */
export function TableSkeleton({ rows = 6, columns = 4 }: { rows?: number; columns?: number }) {
  return (
    <div aria-hidden>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: bones have nothing else to tell them apart
        <div className={classes.skeletonRow} key={row}>
          {Array.from({ length: columns }, (_, column) => (
            <Bone
              // biome-ignore lint/suspicious/noArrayIndexKey: bones have nothing else to tell them apart
              key={column}
              width={`${(SHARES[(row + column) % SHARES.length] ?? 20) + (column === 0 ? 20 : 0)}%`}
            />
          ))}
        </div>
      ))}
    </div>
  );
}

/** Lines of a text or a form. */
export function LinesSkeleton({ lines = 4 }: { lines?: number }) {
  return (
    <div aria-hidden style={{ display: 'grid', gap: 14, maxWidth: 560 }}>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: bones have nothing else to tell them apart
        <Bone key={line} width={`${90 - ((line * 17) % 45)}%`} />
      ))}
    </div>
  );
}
