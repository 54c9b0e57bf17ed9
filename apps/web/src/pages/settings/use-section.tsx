import { useMe } from '../../api/me.ts';
import { UseView } from './use-view.tsx';

export function UseSection() {
  return <UseView me={useMe()} />;
}
