import { Page, PageHeader } from '../../components/page.tsx';

export function SettingsPage() {
  return (
    <Page>
      <PageHeader title="Settings" />
    </Page>
  );
}
