export type Typed = string | number | undefined;

/** One thing that a list can be asked for, and where it stands in the address of the page. */
export interface Param<T, A extends string = string, W extends string | number = string> {
  readonly at: A;
  /** Whatever somebody typed there: what is no value is the usual one. */
  read(typed: Typed): T;
  /** Undefined where it is as usual. */
  write(value: T): W | undefined;
  /** `narrows`: what is not asked for is left out. Clearing a filter leaves only what `orders`. */
  readonly does: 'narrows' | 'orders' | 'pages';
}

export const text = <A extends string>(at: A): Param<string, A> => ({
  at,
  read: (typed) => String(typed ?? ''),
  write: (value) => value || undefined,
  does: 'narrows',
});

export const name = <A extends string>(at: A): Param<string | null, A> => ({
  at,
  read: (typed) => (typed === undefined ? null : String(typed)),
  write: (value) => value ?? undefined,
  does: 'narrows',
});

export const flag = <A extends string>(at: A): Param<boolean, A> => ({
  at,
  read: (typed) => String(typed) === '1',
  write: (value) => (value ? '1' : undefined),
  does: 'orders',
});

type Params = Readonly<Record<string, Param<unknown, string, string | number>>>;
type Values<P extends Params> = { readonly [K in keyof P]: ReturnType<P[K]['read']> };
type Address<P extends Params> = { [K in keyof P as P[K]['at']]: ReturnType<P[K]['write']> };
export type FilterOf<F extends { read: (address: never) => unknown }> = ReturnType<F['read']>;

/** What a list can be asked for; the same as in the address of its page. */
export function listFilter<P extends Params>(params: P) {
  const each = <R>(make: (param: Params[string], key: keyof P & string) => R) =>
    Object.fromEntries(Object.entries(params).map(([key, param]) => [key, make(param, key)]));
  return {
    read: (address: object) => each((param) => param.read(Reflect.get(address, param.at))) as Values<P>,
    /** As parameters of the address; undefined for what is as usual. */
    write: (values: Values<P>) =>
      Object.fromEntries(
        Object.entries(params).map(([key, param]) => [param.at, param.write(values[key])]),
      ) as Address<P>,
    isFiltered: (values: Values<P>): boolean =>
      Object.entries(params).some(([key, { does, write }]) => does === 'narrows' && write(values[key]) !== undefined),
    /** With nothing left out, from the first page. */
    cleared: (values: Values<P>) =>
      each(({ does, read }, key) => (does === 'orders' ? values[key] : read(undefined))) as Values<P>,
  };
}

/** What of it is asked of the server: nothing for what is as usual. */
export const sent = <V extends object>(values: V): { [K in keyof V]?: NonNullable<V[K]> } =>
  Object.fromEntries(
    Object.entries(values).filter(
      ([, value]) =>
        value !== null && value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0),
    ),
  ) as { [K in keyof V]?: NonNullable<V[K]> };
