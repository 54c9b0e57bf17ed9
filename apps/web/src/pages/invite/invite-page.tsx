import { Page, PageHeader } from '../../components/page.tsx';

export function InvitePage() {
  return (
    <Page>
      <PageHeader title="Invitation" />
    </Page>
  );
}
