const MIN_SECRET = 4;
const MIN_LINE = 8;

/** Replaces every secret it was told by `***`, also in base64, URL-encoded and JSON-escaped form. */
export class Masker {
  readonly #forms = new Set<string>();
  #pattern: RegExp | null = null;
  #longest = 0;

  /** Shorter than four characters is no secret: masking it would only make the log unreadable. */
  add(secret: string): void {
    if (secret.length < MIN_SECRET) return;
    this.#add(secret);
    this.#add(encodeURIComponent(secret));
    this.#add(JSON.stringify(secret).slice(1, -1));
    for (const form of base64Forms(secret)) this.#add(form);
    if (secret.includes('\n'))
      for (const line of secret.split(/\r?\n/)) if (line.trim().length >= MIN_LINE) this.#add(line.trim());
  }

  /** Length of the longest form: this much text must stay together for a secret not to slip through. */
  get longest(): number {
    return this.#longest;
  }

  mask(text: string): string {
    if (this.#forms.size === 0) return text;
    this.#pattern ??= new RegExp(
      [...this.#forms]
        .sort((a, b) => b.length - a.length)
        .map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
        .join('|'),
      'g',
    );
    return text.replace(this.#pattern, '***');
  }

  #add(form: string): void {
    if (form.length < MIN_SECRET || this.#forms.has(form)) return;
    this.#forms.add(form);
    this.#longest = Math.max(this.#longest, form.length);
    this.#pattern = null;
  }
}

/** Base64 of the secret alone, and its unchanging middle when it sits at any offset of a longer text (`user:secret`). */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const forms: string[] = [bytes.toString('base64'), bytes.toString('base64url')];
  for (const shift of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const start = shift === 0 ? 0 : shift === 1 ? 2 : 3;
    // The last character may also carry bits of what follows.
    const middle = encoded.slice(start, Math.floor(((shift + bytes.length) * 8) / 6));
    if (middle.length >= MIN_LINE) forms.push(middle, middle.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}
