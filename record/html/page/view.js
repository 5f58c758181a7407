// What is shown of the recording: the rows that the search, the focus and the
// collapsed branches leave, in order.

const HIT = 1, ABOVE = 2;

class View {
  constructor(rec) {
    this.rec = rec;
    this.expanded = new Uint8Array(rec.count);
    this.shown = null; // HIT, ABOVE or both of what is shown; null shows all
    this.hits = []; // the processes that match, in the order of the rows
    this.query = "";
    this.only = "all";
    this.focus = -1;
    this.selected = rec.count > 0 ? 0 : -1;
    this.rows = new Int32Array(0); // the processes that have a row, in order
    this.place = new Int32Array(rec.count).fill(-1); // and the row of each
    this.#unfold();
    this.layout();
  }

  // unfold expands what fits on a screen or two, level by level, and the paths
  // to the first failures: what went wrong is not to be hidden in a branch.
  #unfold() {
    const rec = this.rec;
    let level = rec.roots.slice(), rows = level.length;
    while (level.length > 0) {
      const below = [];
      for (const i of level) for (let c = rec.child[i]; c >= 0; c = rec.next[c]) below.push(c);
      rows += below.length;
      if (rows > 120 && rec.count > 400) break;
      for (const i of level) this.expanded[i] = 1;
      level = below;
    }
    if (rec.count > 0) this.expanded[0] = 1;
    for (let i = 0, left = 50; i < rec.count && left > 0; i++) {
      if (rec.flags[i] & FAILED) {
        this.open(i);
        left--;
      }
    }
  }

  // open expands all that the process descends from.
  open(i) {
    for (let c = this.rec.creator[i]; c >= 0; c = this.rec.creator[c]) this.expanded[c] = 1;
  }

  // layout finds the rows again after anything has changed.
  layout() {
    const { rec, shown, expanded } = this;
    const rows = [];
    const roots = this.focus >= 0 ? [this.focus] : rec.roots;
    this.place.fill(-1);
    const stack = [];
    for (const root of roots) {
      stack.push(root);
      while (stack.length > 0) {
        const i = stack.pop();
        if (i !== root && rec.next[i] >= 0) stack.push(rec.next[i]);
        if (shown !== null && shown[i] === 0) continue;
        this.place[i] = rows.length;
        rows.push(i);
        if (expanded[i] && rec.child[i] >= 0) stack.push(rec.child[i]);
      }
    }
    this.rows = Int32Array.from(rows);
  }

  // search shows only what matches and what that descends from, each with its
  // path open. All words of the query have to be there.
  search(query, only) {
    const { rec } = this;
    this.query = query;
    this.only = only;
    this.hits = [];
    const terms = query.toLowerCase().split(/\s+/).filter((t) => t !== "");
    if (terms.length === 0 && only === "all") {
      this.shown = null;
      this.layout();
      return;
    }
    this.shown = new Uint8Array(rec.count);
    for (let i = 0; i < rec.count; i++) {
      if (only === "failed" && !(rec.flags[i] & FAILED)) continue;
      if (only === "open" && !(rec.flags[i] & OPEN)) continue;
      if (only === "path" && rec.critical(i).length === 0) continue;
      if (terms.length > 0) {
        const text = rec.text(i);
        if (!terms.every((t) => text.includes(t))) continue;
      }
      this.shown[i] |= HIT;
      for (let c = rec.creator[i]; c >= 0 && !(this.shown[c] & ABOVE); c = rec.creator[c]) {
        this.shown[c] |= ABOVE;
        this.expanded[c] = 1;
      }
    }
    this.layout();
    this.hits = Array.from(this.rows).filter((i) => this.shown[i] & HIT);
  }

  isHit(i) { return this.shown !== null && (this.shown[i] & HIT) !== 0; }

  // hasBelow tells whether there is anything to expand.
  hasBelow(i) { return this.shown === null ? this.rec.child[i] >= 0 : (this.shown[i] & ABOVE) !== 0; }

  // step returns the next hit after the selected process, or with a negative by
  // the last one before it, around the end. Collapsed branches count.
  step(by) {
    const { hits } = this, { order } = this.rec, n = hits.length;
    if (n === 0) return -1;
    const at = order[this.selected];
    const k = hits.findIndex((i) => (by > 0 ? order[i] > at : order[i] >= at));
    if (by > 0) return hits[k < 0 ? 0 : k];
    return hits[((k < 0 ? n : k) - 1 + n) % n];
  }

  // toggle expands or collapses one process.
  toggle(i) {
    if (!this.hasBelow(i)) return;
    this.expanded[i] ^= 1;
    this.layout();
    this.keep();
  }

  // all expands all that is shown, or collapses all but the top.
  all(expand) {
    this.expanded.fill(expand ? 1 : 0);
    if (!expand) for (const i of this.focus >= 0 ? [this.focus] : this.rec.roots) this.expanded[i] = 1;
    this.layout();
    this.keep();
  }

  // keep moves the selection to what still has a row: the process or the nearest
  // that it descends from.
  keep() {
    if (this.rows.length === 0) return; // it shows again when anything does
    let i = this.selected;
    while (i >= 0 && this.place[i] < 0) i = this.rec.creator[i];
    this.selected = i >= 0 ? i : this.rows[0];
  }

  // focusOn shows only the process and what descends from it, or all with -1.
  focusOn(i) {
    this.focus = i;
    if (i >= 0) this.expanded[i] = 1;
    this.search(this.query, this.only);
    this.keep();
  }

  // path returns what the process descends from, from the top, and itself.
  path(i) {
    const path = [];
    for (let c = i; c >= 0; c = this.rec.creator[c]) path.push(c);
    return path.reverse();
  }
}

// Colours is which hue each program or container is drawn in: those with the
// most time get hues that lie far apart. None is red, which is for failures.
class Colours {
  constructor(rec) {
    this.rec = rec;
    this.by("program");
  }

  by(what) {
    const { rec } = this;
    this.what = what;
    const sums = new Map();
    for (let i = 0; i < rec.count; i++) {
      const key = this.key(i);
      const sum = sums.get(key) ?? { key, time: 0, count: 0 };
      sum.time += rec.child[i] < 0 ? rec.end[i] - rec.begin[i] : 0;
      sum.count++;
      sums.set(key, sum);
    }
    this.ranked = [...sums.values()].sort((a, b) => b.time - a.time || b.count - a.count);
    this.ranks = new Map(this.ranked.map(({ key }, rank) => [key, rank]));
  }

  key(i) { return this.what === "container" ? this.rec.container(i) || "(none)" : this.rec.program[i]; }

  // paint gives an element the colour of what has the key.
  paint(element, key) {
    const rank = this.ranks.get(key);
    element.style.setProperty("--hue", (35 + 290 * ((0.58 + rank * 0.618034) % 1)).toFixed());
    element.style.setProperty("--tone", ["0%", "-11%", "9%"][rank % 3]);
  }
}
