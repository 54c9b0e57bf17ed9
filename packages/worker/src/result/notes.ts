import { listed } from '../git/paths.ts';

/** What the agent made and the diff does not hold, in words for people. Nothing is left out without one. */
export class Notes {
  readonly unreadable = new Set<string>();
  readonly refused = new Set<string>();
  readonly tooLarge = new Set<string>();
  readonly #more: string[] = [];
  readonly #maxFileBytes: number;

  constructor(maxFileBytes: number) {
    this.#maxFileBytes = maxFileBytes;
  }

  add(text: string): void {
    if (!this.#more.includes(text)) this.#more.push(text);
  }

  get all(): string[] {
    const { unreadable, refused, tooLarge } = this;
    return [
      ...(unreadable.size === 0 ? [] : [`Could not be read and are not in the diff: ${listed(unreadable)}`]),
      ...(refused.size === 0 ? [] : [`Names that git does not take, not in the diff: ${listed(refused)}`]),
      ...(tooLarge.size === 0
        ? []
        : [`Larger than ${this.#maxFileBytes} bytes and not in the diff: ${listed(tooLarge)}`]),
      ...this.#more,
    ];
  }
}
