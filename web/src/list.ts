// The list. Only the rows that can be seen are in the document.

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { RowElement } from "./row";
import type { Drawn } from "./row";
import { PROCESS } from "./shape";
import type { Shape } from "./shape";

const ROW = 24; // pixels, as in the style
const OVERSCAN = 4;

export class List {
  readonly #virtual: Virtualizer<HTMLElement, HTMLElement>;
  readonly #pool: RowElement[] = [];
  readonly #holder: HTMLElement;
  #drawn: Drawn | undefined;
  #frame = 0;

  constructor(readonly scroll: HTMLElement) {
    this.#holder = scroll.querySelector<HTMLElement>(".rows")!;
    this.#virtual = new Virtualizer(this.#options(0));
    this.#virtual._didMount();
    this.#virtual._willUpdate();
  }

  // page is how many rows fit.
  get page(): number { return Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 1); }

  // gutter is how wide the scrollbar is, in pixels: it is not the lanes'.
  get gutter(): number { return this.scroll.offsetWidth - this.scroll.clientWidth; }

  // at returns the shown row that an element is in, -1 for none.
  at(target: EventTarget | null): number {
    const element = target instanceof Element ? target.closest(".row") : null;
    return this.#pool.find((r) => r.element === element)?.row ?? -1;
  }

  // draw draws the rows as they are now.
  draw(drawn: Drawn) {
    const count = drawn.shape.count, moved = this.#moved(drawn.shape);
    if (count !== this.#virtual.options.count) {
      this.#virtual.setOptions(this.#options(count));
      this.#virtual._willUpdate();
    }
    this.#drawn = drawn;
    this.#holder.style.height = `${this.#virtual.getTotalSize()}px`;
    if (moved !== 0) this.scroll.scrollTop += moved * ROW;
    this.scroll.setAttribute("aria-rowcount", String(count + 1));
    for (const row of this.#pool) row.row = -1; // all are drawn anew
    this.#fill();
  }

  // moved is by how many rows the first process in sight is elsewhere in a new
  // shape: what comes and goes above it shall not take it out of sight.
  #moved(shape: Shape): number {
    const old = this.#drawn?.shape;
    if (!old || old === shape || this.scroll.scrollTop <= 0) return 0;
    for (let r = Math.floor(this.scroll.scrollTop / ROW); r < old.count; r++) {
      if (old.kind[r] !== PROCESS) continue;
      const i = shape.columns.places.get(old.columns.keys[old.ref[r]]) ?? -1;
      return i >= 0 && shape.place[i] >= 0 ? shape.place[i] - r : 0;
    }
    return 0;
  }

  // reveal scrolls as little as it takes to see the row.
  reveal(row: number) { if (row >= 0) this.#virtual.scrollToIndex(row, { align: "auto" }); }

  #options(count: number) {
    return {
      count, overscan: OVERSCAN, estimateSize: () => ROW, getScrollElement: () => this.scroll,
      observeElementRect, observeElementOffset, scrollToFn: elementScroll,
      onChange: () => this.#later(),
    };
  }

  #later() {
    if (this.#frame !== 0 || !this.#drawn) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#fill();
    });
  }

  // fill puts the rows that came into sight where others went out of it.
  #fill() {
    const drawn = this.#drawn!, items = this.#virtual.getVirtualItems();
    const size = Math.max(this.#pool.length, items.length);
    while (this.#pool.length < size) this.#pool.push(new RowElement(this.#holder, this.#pool.length));
    const used = new Set<RowElement>();
    for (const { index, start } of items) {
      const row = this.#pool[index % this.#pool.length];
      used.add(row);
      if (row.row !== index) row.draw(drawn, index, start);
    }
    for (const row of this.#pool) if (!used.has(row)) row.hide();
    const selected = this.#pool.find((r) => r.row === drawn.selected && r.row >= 0);
    if (selected) this.scroll.setAttribute("aria-activedescendant", selected.element.id);
    else this.scroll.removeAttribute("aria-activedescendant");
  }
}
