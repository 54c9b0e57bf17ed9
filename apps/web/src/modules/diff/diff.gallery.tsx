import { type ReactNode, useState } from 'react';
import type { GalleryEntry } from '../../gallery/registry.ts';
import { type DiffContent, DiffViewer } from './diff-view.tsx';
import { parseDiff } from './parse-diff.ts';

const SMALL = `diff --git a/src/search/query.ts b/src/search/query.ts
index 3b18e51..9a1f0c2 100644
--- a/src/search/query.ts
+++ b/src/search/query.ts
@@ -1,12 +1,18 @@ export interface Query {
 import { rank } from './rank.ts';
 
 /** Finds documents that hold all words. */
-export function search(words: string[], index: Index): Hit[] {
-  return index.documents.filter((doc) => words.every((word) => doc.text.includes(word)));
+export function search(text: string, index: Index, limit = 20): Hit[] {
+  const words = text.toLowerCase().split(/\\s+/).filter(Boolean);
+  if (words.length === 0) return [];
+  return index.documents
+    .filter((doc) => words.every((word) => doc.text.includes(word)))
+    .map((doc) => ({ doc, score: rank(doc, words) }))
+    .sort((a, b) => b.score - a.score)
+    .slice(0, limit);
 }
 
 export interface Hit {
-  doc: Document;
+  readonly doc: Document;
   score: number;
 }
diff --git a/src/search/rank.ts b/src/search/rank.ts
new file mode 100644
index 0000000..1f0c2ab
--- /dev/null
+++ b/src/search/rank.ts
@@ -0,0 +1,4 @@
+/** More words, and earlier in the text, is better. "<b>not HTML</b>" */
+export function rank(doc: Document, words: string[]): number {
+  return words.reduce((sum, word) => sum + 1 / (1 + doc.text.indexOf(word)), 0);
+}
diff --git a/docs/old-search.md b/docs/search.md
similarity index 92%
rename from docs/old-search.md
rename to docs/search.md
index 5f2a1c3..8c7d9e1 100644
--- a/docs/old-search.md
+++ b/docs/search.md
@@ -1,3 +1,3 @@
-# Old search
+# Search
 
 Words are looked up in the index.
\\ No newline at end of file
diff --git a/bin/search b/bin/search
old mode 100644
new mode 100755
diff --git a/docs/search.png b/docs/search.png
index 2f1a3c4..5d6e7f8 100644
Binary files a/docs/search.png and b/docs/search.png differ
diff --git a/src/legacy.ts b/src/legacy.ts
deleted file mode 100644
index 7c6b5a4..0000000
--- a/src/legacy.ts
+++ /dev/null
@@ -1,2 +0,0 @@
-// Nobody calls this any more.
-export const legacy = true;
`;

const HOSTILE = `diff --git "a/\\342\\200\\256gnp.exe" "b/\\342\\200\\256gnp.exe"
new file mode 100644
--- /dev/null
+++ "b/\\342\\200\\256gnp.exe"
@@ -0,0 +1,3 @@
+<script>alert(1)</script>
+<img src=x onerror=alert(2)>
+if (admin\u202e ) {
diff --git "a/tab\\tand\\nnewline" "b/tab\\tand\\nnewline"
new file mode 100644
--- /dev/null
+++ "b/tab\\tand\\nnewline"
@@ -0,0 +1 @@
+x
diff --git a/${'very/'.repeat(12)}long-${'name-'.repeat(20)}.ts b/${'very/'.repeat(12)}long-${'name-'.repeat(20)}.ts
new file mode 100644
--- /dev/null
+++ b/${'very/'.repeat(12)}long-${'name-'.repeat(20)}.ts
@@ -0,0 +1 @@
+${'wide '.repeat(120)}
`;

const LARGE = `diff --git a/package-lock.json b/package-lock.json
index 1..2 100644
--- a/package-lock.json
+++ b/package-lock.json
@@ -1,2 +1,6000 @@
 {
${Array.from({ length: 6000 }, (_, index) => `+  "line": ${index},`).join('\n')}
 }
`;

const MANY = Array.from(
  { length: 300 },
  (_, index) => `diff --git a/src/part-${index % 12}/file-${index}.ts b/src/part-${index % 12}/file-${index}.ts
index 1..2 100644
--- a/src/part-${index % 12}/file-${index}.ts
+++ b/src/part-${index % 12}/file-${index}.ts
@@ -1,2 +1,2 @@
 export const a = ${index};
-export const b = ${index};
+export const b = ${index + 1};
`,
).join('');

function Frame({ content, partial = null }: { content: DiffContent; partial?: string | null }): ReactNode {
  const [file, setFile] = useState<string | null>(null);
  return (
    <DiffViewer
      content={content}
      sizeBytes={content.drawable ? 4200 : 48_200_000}
      downloadHref="#download"
      pullCommand="hangar pull j_7k2m9x4q"
      partial={partial}
      file={file}
      onFile={setFile}
    />
  );
}

const show = (text: string, partial?: string) => () => (
  <Frame content={{ files: parseDiff(text), drawable: true }} {...(partial === undefined ? {} : { partial })} />
);

export const entries: GalleryEntry[] = [
  { id: 'diff/files', title: 'Changes of each kind', render: show(SMALL) },
  {
    id: 'diff/partial',
    title: 'A partial diff',
    render: show(SMALL, 'Partial: saved before the agent ended, because its time was up. Look before you pull.'),
  },
  { id: 'diff/hostile', title: 'Names and content that mean harm', render: show(HOSTILE) },
  { id: 'diff/large-file', title: 'A file with thousands of lines', render: show(LARGE) },
  { id: 'diff/many-files', title: '300 files', render: show(MANY) },
  {
    id: 'diff/too-large',
    title: 'Too large to draw',
    render: () => <Frame content={{ files: parseDiff(MANY, { keepHunks: false }), drawable: false }} />,
  },
  { id: 'diff/empty', title: 'No changes', render: show('') },
];
