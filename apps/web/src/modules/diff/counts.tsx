import { formatCount } from '@hangar/contract/words/number';
import classes from './counts.module.css';

/** `+84 −12`; nothing when nothing changed. */
export function Counts({ insertions, deletions }: { insertions: number; deletions: number }) {
  if (insertions === 0 && deletions === 0) return null;
  return (
    <span className={`${classes.counts} hg-num`}>
      <span className={classes.plus}>
        <span className="hg-sr">added </span>+{formatCount(insertions)}
      </span>{' '}
      <span className={classes.minus}>
        <span className="hg-sr">removed </span>−{formatCount(deletions)}
      </span>
    </span>
  );
}
