/** Codes below have a table of their own; most of what is printed is ASCII. */
export const ASCII = 128;
const MOST_ROWS = 4096;

/**
 * Finds where any of many texts ends, one character after the other (Aho–Corasick): the time it takes grows with what it reads alone,
 * however that was made up. States are numbered by depth, 0 is the root.
 */
export class Automaton {
  /** How much has been read, at the end, of a text that may still go on. */
  readonly open: Int32Array;
  /** Length of the longest text that ends in a state; 0: none does. */
  readonly ending: Int32Array;
  readonly #code: Uint16Array;
  /** The children of a state are those from `#child[state]` on, up to `#child[state + 1]`. */
  readonly #child: Int32Array;
  readonly #fail: Int32Array;
  /** Where to go from the first states, which nearly all characters are read in. */
  readonly rows: number;
  readonly table: Uint16Array | Uint32Array;

  constructor(texts: Iterable<string>) {
    const trie = new Trie([...texts]);
    const order = trie.byDepth();
    const size = order.length;
    const depth = new Int32Array(size);
    this.open = new Int32Array(size);
    this.ending = new Int32Array(size);
    this.#code = new Uint16Array(size);
    this.#child = new Int32Array(size + 1);
    this.#fail = new Int32Array(size);
    let next = 1;
    for (let state = 0; state < size; state++) {
      const node = order[state] ?? 0;
      this.#code[state] = trie.code[node] ?? 0;
      this.#child[state] = next;
      for (let child = trie.first[node] ?? 0; child !== 0; child = trie.next[child] ?? 0) {
        depth[next] = (depth[state] ?? 0) + 1;
        this.ending[next] = trie.length[child] ?? 0;
        next++;
      }
    }
    this.#child[size] = next;
    for (let state = 0; state < size; state++)
      for (let child = this.#child[state] ?? 0; child < (this.#child[state + 1] ?? 0); child++) {
        const fail = state === 0 ? 0 : this.#walk(this.#fail[state] ?? 0, this.#code[child] ?? 0);
        this.#fail[child] = fail;
        this.ending[child] ||= this.ending[fail] ?? 0;
        const isLeaf = this.#child[child] === this.#child[child + 1];
        this.open[child] = (isLeaf ? this.open[fail] : depth[child]) ?? 0;
      }
    let rows = 1;
    while (rows < size && rows < MOST_ROWS && (depth[rows] ?? 0) <= 2) rows++;
    // Half the size where it fits: the table is looked at for each character and should stay near the processor.
    this.table = size <= 2 ** 16 ? new Uint16Array(rows * ASCII) : new Uint32Array(rows * ASCII);
    for (let state = 0; state < rows; state++)
      for (let code = 0; code < ASCII; code++) this.table[state * ASCII + code] = this.#walk(state, code);
    this.rows = rows;
  }

  /** From any state; where `state < rows` and `code < ASCII`, `table` says the same at `state * ASCII + code`, faster than a call. */
  step(state: number, code: number): number {
    let at = state;
    while (at >= this.rows || code >= ASCII) {
      const child = this.#childOf(at, code);
      if (child !== 0) return child;
      if (at === 0) return 0;
      at = this.#fail[at] as number;
    }
    return this.table[at * ASCII + code] as number;
  }

  #walk(state: number, code: number): number {
    for (let at = state; ; at = this.#fail[at] ?? 0) {
      const child = this.#childOf(at, code);
      if (child !== 0 || at === 0) return child;
    }
  }

  #childOf(state: number, code: number): number {
    const end = this.#child[state + 1] as number;
    for (let child = this.#child[state] as number; child < end; child++) if (this.#code[child] === code) return child;
    return 0;
  }
}

/** The texts as a tree: children of a node hang together by `first` and `next`. */
class Trie {
  readonly code: Uint16Array;
  readonly first: Int32Array;
  readonly next: Int32Array;
  /** Of the text that ends here. */
  readonly length: Int32Array;
  #size = 1;

  constructor(texts: readonly string[]) {
    const most = texts.reduce((sum, text) => sum + text.length, 1);
    this.code = new Uint16Array(most);
    this.first = new Int32Array(most);
    this.next = new Int32Array(most);
    this.length = new Int32Array(most);
    for (const text of texts) {
      let node = 0;
      for (let at = 0; at < text.length; at++) node = this.#childOf(node, text.charCodeAt(at));
      this.length[node] = text.length;
    }
  }

  byDepth(): Int32Array {
    const order = new Int32Array(this.#size);
    let filled = 1;
    for (let at = 0; at < filled; at++)
      for (let child = this.first[order[at] ?? 0] ?? 0; child !== 0; child = this.next[child] ?? 0)
        order[filled++] = child;
    return order;
  }

  #childOf(node: number, code: number): number {
    for (let child = this.first[node] ?? 0; child !== 0; child = this.next[child] ?? 0)
      if (this.code[child] === code) return child;
    const made = this.#size++;
    this.code[made] = code;
    this.next[made] = this.first[node] ?? 0;
    this.first[node] = made;
    return made;
  }
}
