// The list. Only the rows that can be seen are in the document: they are taken
// from the top and put in at the bottom again as it is scrolled.

const ROW = 24; // pixels, as in the style
const TALLEST = 8e6; // pixels; browsers draw no element that is much taller

class Rows {
  constructor(scroll, sizer, holder, view, range, colours) {
    Object.assign(this, { scroll, sizer, holder, view, range, colours });
    this.pool = [];
    scroll.addEventListener("scroll", () => this.draw(), { passive: true });
  }

  // The height of all rows, and of what stands for them.
  get #full() { return this.view.rows.length * ROW; }
  get #tall() { return Math.min(this.#full, TALLEST); }

  // top returns how far down in all rows the list is scrolled.
  get #top() {
    const room = this.#tall - this.scroll.clientHeight;
    if (this.#full <= TALLEST || room <= 0) return this.scroll.scrollTop;
    return (this.scroll.scrollTop / room) * (this.#full - this.scroll.clientHeight);
  }

  set #top(y) {
    const room = this.#tall - this.scroll.clientHeight;
    if (this.#full > TALLEST && room > 0) y = (y / (this.#full - this.scroll.clientHeight)) * room;
    this.scroll.scrollTop = y;
  }

  // reveal scrolls as little as it takes to see the row of the process.
  reveal(i) {
    const y = this.view.place[i] * ROW, high = this.scroll.clientHeight;
    if (y < 0) return;
    this.sizer.style.height = `${this.#tall}px`;
    if (y < this.#top) this.#top = Math.max(0, y - ROW);
    else if (y + ROW > this.#top + high) this.#top = y + 2 * ROW - high;
  }

  // page is how many rows fit.
  get page() { return Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 1); }

  draw() {
    const { view, pool } = this;
    this.sizer.style.height = `${this.#tall}px`;
    const top = this.#top, first = Math.max(0, Math.floor(top / ROW) - 2);
    const count = Math.min(view.rows.length - first, Math.ceil(this.scroll.clientHeight / ROW) + 4);
    while (pool.length < count) pool.push(new Row(this.holder));
    // What lies at the top of the list is where the browser has scrolled to.
    const shift = this.scroll.scrollTop - top;
    for (let k = 0; k < pool.length; k++) {
      const row = pool[(first + k) % pool.length];
      if (k < count) row.draw(this, first + k, (first + k) * ROW + shift);
      else row.hide();
    }
    this.scroll.setAttribute("aria-rowcount", String(view.rows.length));
    const selected = pool.find((row) => row.process === view.selected && row.place >= 0);
    if (selected) this.scroll.setAttribute("aria-activedescendant", selected.element.id);
    else this.scroll.removeAttribute("aria-activedescendant");
  }
}

let rowsMade = 0;

// A Row is one row of the document: the process at the left, its time at the
// right.
class Row {
  constructor(holder) {
    const make = (parent, name, tag = "div") => {
      const e = document.createElement(tag);
      e.className = name;
      parent.append(e);
      return e;
    };
    this.process = -1;
    this.place = -1;
    this.element = make(holder, "row");
    this.element.id = `row${rowsMade++}`;
    this.element.setAttribute("role", "row");
    this.tree = make(this.element, "tree");
    this.tree.setAttribute("role", "rowheader");
    this.twisty = make(this.tree, "twisty", "span");
    this.dot = make(this.tree, "dot", "span");
    this.name = make(this.tree, "name", "span");
    this.badge = make(this.tree, "badge", "span");
    this.more = make(this.tree, "more", "span");
    this.command = make(this.tree, "cmd", "span");
    this.time = make(this.element, "time");
    this.time.setAttribute("role", "gridcell");
    this.lane = make(this.element, "lane");
    this.below = make(this.lane, "below");
    this.bar = make(this.lane, "bar");
    this.execs = make(this.bar, "execs");
    this.critical = make(this.lane, "critical");
  }

  hide() {
    this.place = -1;
    this.element.hidden = true;
  }

  draw({ view, range, colours }, place, y) {
    const { rec } = view, i = view.rows[place], flags = rec.flags[i];
    const { element } = this;
    this.place = place;
    element.hidden = false;
    element.style.transform = `translateY(${y}px)`;
    element.ariaSelected = String(i === view.selected);
    element.classList.toggle("selected", i === view.selected);
    if (this.process !== i) this.#fill(rec, i, flags);
    const depth = rec.depth[i] - (view.focus >= 0 ? rec.depth[view.focus] : 0);
    const expanded = view.expanded[i] !== 0, below = view.hasBelow(i);
    element.style.setProperty("--depth", String(Math.min(depth, 40)));
    element.ariaLevel = String(depth + 1);
    element.ariaRowIndex = String(place + 1);
    if (below) element.ariaExpanded = String(expanded);
    else element.removeAttribute("aria-expanded");
    this.twisty.textContent = below ? (expanded ? "▾" : "▸") : "";
    colours.paint(element, colours.key(i));
    element.classList.toggle("hit", view.query !== "" && view.isHit(i));
    element.classList.toggle("above", view.shown !== null && !view.isHit(i));
    const hidden = below && !expanded;
    this.more.textContent = hidden ? `+${number(rec.below[i])}` : "";
    const hides = hidden ? rec.failedBelow[i] : 0;
    this.badge.textContent = flags & FAILED ? rec.ending(i) : hides > 0 ? `${number(hides)} failed` : flags & OPEN ? "not ended" : flags & GAP ? "creator not known" : "";
    this.badge.classList.toggle("bad", (flags & FAILED) !== 0 || hides > 0);
    this.#time(rec, i, range, hidden);
    this.#critical(rec.critical(i), range);
  }

  // critical draws where the process is the critical path, as one picture: there
  // may be a thousand parts.
  #critical(parts, range) {
    const least = 1 / 600, drawn = [];
    for (let k = 0; k < parts.length; k += 2) {
      const a = Math.max(0, range.share(parts[k])), b = Math.min(1, range.share(parts[k + 1]));
      if (b < 0 || a > 1) continue;
      const last = drawn.at(-1), right = Math.max(b, a + least);
      if (last && a - last.right < least) last.right = Math.max(last.right, right);
      else drawn.push({ a, right });
    }
    const stops = drawn.map(({ a, right }) => {
      const [from, to] = [`${a * 100}%`, `${right * 100}%`];
      return `transparent ${from}, var(--path) ${from} ${to}, transparent ${to}`;
    });
    this.critical.hidden = stops.length === 0;
    if (stops.length > 0) this.critical.style.backgroundImage = `linear-gradient(90deg, ${stops.join(", ")})`;
  }

  // fill sets what does not change while the row stands for the process.
  #fill(rec, i, flags) {
    this.process = i;
    const { element } = this;
    this.name.textContent = short(rec.name(i), 100);
    this.command.textContent = short(rec.command(i), 400);
    this.time.textContent = flags & UNKNOWN ? "?" : (flags & OPEN ? "≥ " : "") + duration(rec.end[i] - rec.begin[i]);
    element.classList.toggle("failed", (flags & FAILED) !== 0);
    element.classList.toggle("waited", rec.critical(i).length > 0);
    element.classList.toggle("open", (flags & OPEN) !== 0);
    element.classList.toggle("inferred", (flags & (INFERRED | GAP)) !== 0);
    element.title = flags & GAP ? "Its creator is not known." : flags & INFERRED ? "Its creator is inferred." : "";
  }

  // time draws the bar, where each program begins in it, how uncertain its begin
  // is, and of a collapsed branch how long that ran.
  #time(rec, i, range, hidden) {
    const lay = (element, begin, end) => {
      const a = range.share(begin), b = range.share(end);
      const seen = b >= 0 && a <= 1;
      element.hidden = !seen;
      if (!seen) return;
      const left = Math.max(-0.01, a), right = Math.min(1.01, b);
      element.style.left = `${left * 100}%`;
      element.style.width = `${(right - left) * 100}%`;
    };
    lay(this.bar, rec.begin[i], rec.end[i]);
    if (hidden) lay(this.below, rec.begin[i], rec.lastEnd[i]);
    else this.below.hidden = true;
    const span = rec.end[i] - rec.begin[i];
    const tick = rec.flags[i] & TO_TICK ? Math.min(1, 10e6 / Math.max(1, span)) : rec.flags[i] & UNKNOWN ? 1 : 0;
    this.bar.style.setProperty("--unsure", `${tick * 100}%`);
    this.bar.classList.toggle("unsure", tick > 0);
    // The gradient of one element shows the last exec of several: more would be
    // more elements.
    const execs = rec.execs(i);
    this.execs.hidden = execs.length < 2 || span <= 0;
    if (!this.execs.hidden) this.execs.style.left = `${((execs[execs.length - 1][0] - rec.begin[i]) / span) * 100}%`;
  }
}
