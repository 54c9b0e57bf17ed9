import { Page, PageHeader } from '../../components/page.tsx';

export function OperationsPage() {
  return (
    <Page>
      <PageHeader title="Operations" />
    </Page>
  );
}
