import { useQuery } from '@tanstack/react-query';
import { useApi, useMe } from '../../api/client.tsx';
import { type Loadable, loadable } from '../../api/loadable.ts';
import { Page, PageHeader } from '../../components/page.tsx';
import { SubNav } from '../../components/sub-nav.tsx';
import { ActivityActions, type ActivityAnswer, ActivityPanel } from '../../modules/activity/activity-panel.tsx';
import { CLUSTER_PLACES } from '../../modules/kubernetes/cluster-frame.tsx';

export function OperationsPage() {
  const api = useApi();
  const activity = useQuery(api.activity.list.queryOptions({ input: { limit: 100 } }));
  const me = useMe();
  return <OperationsView activity={loadable(activity)} isAdmin={me.data?.user.role === 'admin'} />;
}

export interface OperationsViewProps {
  activity: Loadable<ActivityAnswer>;
  /** The cluster is for admins to see. */
  isAdmin?: boolean;
}

export function OperationsView({ activity, isAdmin = false }: OperationsViewProps) {
  return (
    <Page>
      <PageHeader
        title="Activity"
        sub="What is being done on this server, and what was done lately. Service health is not part of this version."
        actions={<ActivityActions onRefresh={activity.retry} refreshing={activity.refetching} />}
      />
      {isAdmin ? <SubNav label="Operations" items={CLUSTER_PLACES} current="/operations" /> : null}
      <ActivityPanel activity={activity} />
    </Page>
  );
}
