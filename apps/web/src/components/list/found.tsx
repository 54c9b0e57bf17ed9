import { formatCount, plural } from '../format.ts';
import classes from './list.module.css';

/** At the end of the filters: how many fit, of how many. */
export function Found({ fit, all, noun }: { fit: number; all: number; noun: string }) {
  return (
    <span className={`${classes.found} hg-num`} role="status">
      {fit === all ? '' : `${formatCount(fit)} of `}
      {plural(all, noun)}
    </span>
  );
}
