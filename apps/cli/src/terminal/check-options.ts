import { HangarError } from '@hangar/contract/errors';

/** What is needed of a schema of the contract. */
interface Schema {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true }
    | { readonly success: false; readonly error: { readonly issues: readonly { readonly message: string }[] } };
  toJSONSchema(o: { readonly io: 'input' }): Limits;
}

interface Limits {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  /** Of a value that may also be null. */
  readonly anyOf?: readonly Limits[];
}

/** The value of an option, with what the contract says of it. */
export interface GivenOption {
  /** With its dashes, and what tells it from others of the kind, like `--env NAME`. */
  readonly flag: string;
  /** undefined: it was not given. */
  readonly value: unknown;
  readonly schema: Schema;
  /** Numbers in the words people type them. */
  readonly shown?: (value: number) => string;
}

/**
 * Holds options against the contract before anything is made of them, in the words of the command line: which option, and what it
 * takes.
 * @throws HangarError usage
 */
export function checkOptions(command: string, options: readonly GivenOption[]): void {
  const wrong = options.flatMap((option) => {
    if (option.value === undefined) return [];
    const parsed = option.schema.safeParse(option.value);
    return parsed.success ? [] : [`${option.flag} ${sentence(option, parsed.error.issues[0]?.message ?? '')}`];
  });
  if (wrong.length > 0)
    throw new HangarError('usage', { message: wrong.join(' '), wayOut: `See: hangar ${command} --help` });
}

function sentence({ value, schema, shown = String }: GivenOption, message: string): string {
  const said = schema.toJSONSchema({ io: 'input' });
  const takes = said.anyOf?.[0] ?? said;
  if (typeof value === 'number') {
    const least = takes.minimum;
    // A whole number always ends somewhere; that end is nobody's limit, but nothing can be counted beyond it.
    const most = takes.maximum === undefined || takes.maximum >= Number.MAX_SAFE_INTEGER ? undefined : takes.maximum;
    if (most === undefined && value > Number.MAX_SAFE_INTEGER) return 'is larger than anything can be.';
    if (least !== undefined && value < least)
      return `is ${shown(value)}: it must be ${most === undefined ? `at least ${shown(least)}` : `from ${shown(least)} to ${shown(most)}`}.`;
    if (most !== undefined && value > most)
      return `is ${shown(value)}: it must be ${least === undefined ? `at most ${shown(most)}` : `from ${shown(least)} to ${shown(most)}`}.`;
  }
  if (typeof value === 'string') {
    if (value.trim() === '' && (takes.minLength ?? 0) > 0) return 'is empty.';
    if (takes.maxLength !== undefined && value.length > takes.maxLength)
      return `is too long: ${value.length} characters of at most ${takes.maxLength}.`;
  }
  return `is not right: ${message}.`;
}
