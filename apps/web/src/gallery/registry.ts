import type { ReactNode } from 'react';

/** One view in one state. Files named `*.gallery.tsx` export `entries`, a list of these. */
export interface GalleryEntry {
  /** Letters, digits, `-` and `/`: `jobs/list/empty`. Also the name of its picture. */
  id: string;
  title: string;
  /** `page` (the default) stands in the shell's main column, `bare` has the whole window, `whole` brings its own main as well. */
  frame?: 'page' | 'bare' | 'whole';
  render: () => ReactNode;
}

const files = import.meta.glob<{ entries: GalleryEntry[] }>('../**/*.gallery.tsx', { eager: true });

export const entries: readonly GalleryEntry[] = Object.values(files)
  .flatMap((file) => file.entries)
  .sort((a, b) => a.id.localeCompare(b.id));
