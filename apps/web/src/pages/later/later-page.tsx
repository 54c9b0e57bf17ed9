import { Page, PageHeader } from '../../components/page.tsx';

export function LaterPage() {
  return (
    <Page>
      <PageHeader title="Later" />
    </Page>
  );
}
