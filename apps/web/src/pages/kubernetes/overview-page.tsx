import { getRouteApi } from '@tanstack/react-router';
import { healthCommand } from '../../modules/kubernetes/cluster-commands.ts';
import { OverviewView } from '../../modules/kubernetes/overview-view.tsx';
import { useCluster } from '../../modules/kubernetes/use-cluster.ts';

const route = getRouteApi('/app/operations/kubernetes');

export function OverviewPage() {
  const { context } = route.useSearch();
  const navigate = route.useNavigate();
  const { health } = useCluster(context, ['health']);
  return (
    <OverviewView
      health={health}
      context={context}
      onContext={(name) => void navigate({ search: { context: name } })}
      command={healthCommand(context)}
    />
  );
}
