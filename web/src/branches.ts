// Branches are which rows with something below them are open. All are but folds,
// unless they are flipped.
export class Branches {
  readonly #flipped = new Set<string>();
  #open = true;

  isOpen(key: string): boolean {
    const open = this.#open && !key.startsWith("fold:"); // no key of a process begins so
    return this.#flipped.size > 0 && this.#flipped.has(key) ? !open : open;
  }

  set(key: string, open: boolean) {
    if (this.isOpen(key) !== open && !this.#flipped.delete(key)) this.#flipped.add(key);
  }

  // all opens all, or closes all: what is flipped is forgotten.
  all(open: boolean) {
    this.#flipped.clear();
    this.#open = open;
  }
}
