/** The tab that the address names; the first when it names none that is known. */
export const tabOf = <I extends string>(tabs: readonly [I, ...(readonly I[])], typed: string | undefined): I =>
  tabs.find((known) => known === typed) ?? tabs[0];

/** What stands in the address for a tab: nothing for the first. */
export const tabParameter = <I extends string>(tabs: readonly [I, ...(readonly I[])], tab: I): I | undefined =>
  tab === tabs[0] ? undefined : tab;
