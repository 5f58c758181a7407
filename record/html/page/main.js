// The page: it reads the recording, puts the parts together and listens.

const $ = (id) => document.getElementById(id);

const KEYS = [
  ["↑ ↓  k j", "previous and next row"],
  ["← →  h l", "collapse or up, expand or down"],
  ["e  E", "expand or collapse one, expand all"],
  ["C", "collapse all"],
  ["Enter", "show only this process and what it started"],
  ["Backspace", "up again"],
  ["/", "search; Enter goes to the list, Esc clears"],
  ["n  N", "next and previous hit"],
  ["f  F", "next and previous failure"],
  ["w  s", "zoom in and out"],
  ["a  d", "earlier and later"],
  ["z  0", "zoom to the selected process, to the whole time"],
  ["Ctrl + wheel", "zoom at the pointer; Shift + wheel or drag: earlier and later"],
  ["p", "only the critical path: what the command waited for"],
  ["i", "details"],
  ["c", "copy the command line"],
  ["?", "these keys"],
];

class Page {
  constructor(rec) {
    this.rec = rec;
    this.view = new View(rec);
    this.range = new TimeRange(rec.length);
    this.colours = new Colours(rec);
    this.rows = new Rows($("scroll"), $("sizer"), $("rows"), this.view, this.range, this.colours);
    this.overview = new Overview($("overview"), rec, this.range);
    this.details = new Details($("details"), rec, (key, i) => (key === "select" ? this.select(i) : this.press(key)), say);
    this.detailed = false;
    this.waits = false;
    this.range.changed = () => this.draw();
    this.header();
    this.legend();
    this.listen();
    this.#follow();
    this.draw();
    $("scroll").focus({ preventScroll: true });
  }

  // follow does what the address asks for: #focus=PLACE&select=PLACE, which the
  // page keeps there, so that a link shows what was looked at.
  #follow() {
    const asked = new URLSearchParams(location.hash.slice(1));
    const place = (key) => {
      const i = Number(asked.get(key) ?? -1);
      return Number.isInteger(i) && i < this.rec.count ? i : -1;
    };
    const [focus, select] = [place("focus"), place("select")];
    if (focus >= 0) this.focus(focus);
    if (select >= 0) this.select(select);
  }

  // remember keeps what is looked at in the address.
  #remember() {
    const { focus, selected } = this.view;
    const hash = `${focus >= 0 ? `focus=${focus}&` : ""}select=${selected}`;
    clearTimeout(this.remembers); // browsers refuse to be told too often
    this.remembers = setTimeout(() => history.replaceState(null, "", `#${hash}`), 300);
  }

  header() {
    const { rec } = this, { head } = rec;
    document.title = `${short(head.command, 200)} – lineage`;
    $("command").textContent = short(head.command, 1000);
    const facts = [
      duration(rec.length), plural(rec.count, "process", "processes"), `${number(rec.failed)} failed`,
      `up to ${number(rec.peak)} at once`, rec.open > 0 ? `${number(rec.open)} not seen to end` : "",
      head.began, head.host && `on ${head.host}`, head.cpus > 0 ? plural(head.cpus, "CPU", "CPUs") : "",
      head.kernel && `Linux ${head.kernel}`, head.dir && `in ${head.dir}`, head.source && `source ${head.source}`,
    ];
    $("facts").replaceChildren(...facts.filter(Boolean).map((fact) => node("span", short(fact, 200))));
    const unseen = head.unseen ?? [];
    if (unseen.length > 0) {
      $("unseen").hidden = false;
      $("unseen").open = unseen.length <= 3;
      $("unseen").classList.toggle("lost", (head.losses ?? []).length > 0);
      $("unseen").querySelector("summary").textContent = `What could not be seen (${unseen.length})`;
      $("unseen").querySelector("ul").replaceChildren(...unseen.map((sentence) => node("li", short(sentence, 1000))));
    }
  }

  legend() {
    const most = this.colours.ranked.slice(0, 10).map(({ key, count }) => {
      const e = button("", () => {
        $("search").value = $("search").value === key ? "" : key;
        this.search();
      });
      const dot = node("span", "");
      dot.className = "dot";
      this.colours.paint(dot, key);
      e.append(dot, node("span", short(key, 100)), node("small", number(count)));
      return e;
    });
    const rest = this.colours.ranked.length - most.length;
    if (rest > 0) most.push(node("small", `and ${plural(rest, "other", "others")}`));
    $("legend").replaceChildren(...most);
  }

  // draw draws all with the next frame, once.
  draw() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.overview.draw();
      drawAxis($("ticks"), $("behind"), this.range, this.rec.head.losses ?? []);
      this.rows.draw();
      const { view } = this, { hits } = view;
      $("nothing").hidden = view.rows.length > 0;
      $("hits").textContent = view.shown === null ? "" : `${number(hits.indexOf(view.selected) + 1)} of ${plural(hits.length, "hit", "hits")}`;
      this.#remember();
      if (this.detailed && view.selected >= 0) this.details.show(view.selected);
      else this.details.hide();
    });
  }

  // select selects a process and brings it into sight, opening its path.
  select(i, reveal = true) {
    const { view } = this;
    if (i < 0) return;
    if (view.focus >= 0 && !view.path(i).includes(view.focus)) this.focus(-1);
    if (view.place[i] < 0) {
      if (view.shown !== null && view.shown[i] === 0) {
        $("search").value = "";
        this.only("all");
      }
      view.open(i);
      view.layout();
    }
    view.selected = i;
    this.rows.reveal(i);
    if (reveal) this.range.reveal(this.rec.begin[i], this.rec.end[i]);
    this.draw();
  }

  // move selects the row that is by rows away.
  move(by) {
    const { view } = this, n = view.rows.length;
    if (n === 0) return;
    const at = view.place[view.selected] + by;
    this.select(view.rows[Math.min(n - 1, Math.max(0, at))], false);
  }

  search() {
    this.view.search($("search").value, this.view.only);
    this.found();
  }

  only(what) {
    for (const b of document.querySelectorAll("[data-only]")) b.ariaPressed = String(b.dataset.only === what);
    this.view.search($("search").value, what);
    this.found();
  }

  // found keeps the selection where it matches, and else goes to the first hit.
  found() {
    const { view } = this;
    if (view.hits.length > 0 && !view.isHit(view.selected)) view.selected = view.hits[0];
    view.keep();
    this.rows.reveal(view.selected);
    this.draw();
  }

  // step goes to the next hit, or with a negative one to the one before.
  step(by) {
    const { view } = this;
    const hit = view.step(by);
    if (hit < 0) return say(view.shown === null ? "Search first: /" : "Nothing matches.");
    this.select(hit);
  }

  // failure goes to the next failure in the order of starts, or to the one before.
  failure(by) {
    const { rec, view } = this, n = rec.count;
    if (rec.failed === 0) return say("Nothing failed.");
    let i = view.selected;
    do i = (i + by + n) % n; while (!(rec.flags[i] & FAILED));
    this.select(i);
  }

  focus(i) {
    const { view, rec } = this;
    view.focusOn(i);
    $("path").hidden = i < 0;
    const steps = i < 0 ? [] : view.path(i);
    const parts = [button("all", () => this.focus(-1))];
    for (const p of steps) parts.push(node("span", "›"), button(`${short(rec.name(p), 50)} ${rec.pid(p)}`, () => this.focus(p)));
    $("path").replaceChildren(...parts);
    this.rows.reveal(view.selected);
    if (i >= 0) this.range.reveal(rec.begin[i], rec.end[i]);
    this.draw();
  }

  // press does what a key stands for, and tells whether it stands for anything.
  press(key) {
    const { view, rec, range } = this, i = view.selected;
    switch (key) {
      case "ArrowDown": case "j": this.move(1); break;
      case "ArrowUp": case "k": this.move(-1); break;
      case "PageDown": this.move(this.rows.page); break;
      case "PageUp": this.move(-this.rows.page); break;
      case "Home": case "g": this.move(-view.rows.length); break;
      case "End": case "G": this.move(view.rows.length); break;
      case "ArrowRight": case "l":
        if (i >= 0 && view.hasBelow(i) && !view.expanded[i]) this.toggle(i);
        else if (i >= 0 && view.hasBelow(i)) this.move(1);
        break;
      case "ArrowLeft": case "h":
        if (i >= 0 && view.hasBelow(i) && view.expanded[i]) this.toggle(i);
        else if (i >= 0 && i !== view.focus && rec.creator[i] >= 0) this.select(rec.creator[i], false);
        break;
      case "e": case " ": if (i >= 0) this.toggle(i); break;
      case "E": this.all(true); break;
      case "C": this.all(false); break;
      case "Enter": if (i >= 0) this.focus(i); break;
      case "Backspace": if (view.focus >= 0) this.focus(rec.creator[view.focus]); break;
      case "/": $("search").focus(); $("search").select(); break;
      case "n": this.step(1); break;
      case "N": this.step(-1); break;
      case "f": this.failure(1); break;
      case "F": this.failure(-1); break;
      case "w": range.zoom(0.7, this.#center()); break;
      case "s": range.zoom(1 / 0.7, this.#center()); break;
      case "a": range.pan(-0.2); break;
      case "d": range.pan(0.2); break;
      case "0": range.show(0, rec.length); break;
      case "z": if (i >= 0) this.fit(i); break;
      case "p": this.only(view.only === "path" ? "all" : "path"); break;
      case "i": this.detailed = !this.detailed; this.draw(); break;
      case "c": if (i >= 0) this.details.copy(rec.command(i)); break;
      case "?": $("help").open ? $("help").close() : $("help").showModal(); break;
      case "Escape":
        if (this.detailed) this.detailed = false;
        else if (view.shown !== null) {
          $("search").value = "";
          this.only("all");
        }
        this.draw();
        break;
      default: return false;
    }
    return true;
  }

  // center is the share of the range around which keys zoom: the middle of what
  // can be seen of the selected process.
  #center() {
    const { range, rec, view } = this, i = view.selected;
    if (i < 0 || rec.end[i] < range.from || rec.begin[i] > range.to) return 0.5;
    return (Math.max(0, range.share(rec.begin[i])) + Math.min(1, range.share(rec.end[i]))) / 2;
  }

  fit(i) {
    const { rec } = this, span = Math.max(1e3, rec.lastEnd[i] - rec.begin[i]);
    this.range.show(rec.begin[i] - span * 0.05, rec.begin[i] + span * 1.05);
  }

  toggle(i) {
    this.view.toggle(i);
    this.rows.reveal(this.view.selected);
    this.draw();
  }

  all(expand) {
    this.view.all(expand);
    this.rows.reveal(this.view.selected);
    this.draw();
  }

  listen() {
    const scroll = $("scroll");
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || $("help").open && e.key !== "?") return;
      if (e.target.matches("input, select, textarea")) return;
      if (e.target.matches("button, summary, pre") && ["Enter", " "].includes(e.key)) return;
      if (this.press(e.key)) e.preventDefault();
    });
    let typing = 0;
    $("search").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.search(), 120);
    });
    $("search").addEventListener("keydown", (e) => {
      if (e.key === "Escape") $("search").value = "";
      if (e.key === "Enter" || e.key === "Escape") {
        clearTimeout(typing);
        this.search();
        scroll.focus();
        e.preventDefault();
      }
    });
    for (const b of document.querySelectorAll("[data-only]")) b.addEventListener("click", () => this.only(b.dataset.only));
    for (const b of document.querySelectorAll("[data-key]")) b.addEventListener("click", () => this.press(b.dataset.key));
    $("color").addEventListener("change", () => {
      this.colours.by($("color").value);
      this.legend();
      this.draw();
    });
    scroll.addEventListener("click", (e) => this.#click(e));
    scroll.addEventListener("dblclick", (e) => {
      if (this.#row(e) && e.target.closest(".lane")) this.fit(this.view.selected);
    });
    scroll.addEventListener("wheel", (e) => this.#wheel(e), { passive: false });
    this.#dragTime(scroll);
    this.#dragTime($("ticks"));
    this.#dragSplitter();
    new ResizeObserver(() => this.draw()).observe(scroll);
    new ResizeObserver(() => this.draw()).observe($("overview"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    const help = document.createElement("dl");
    for (const [keys, what] of KEYS) help.append(node("dt", keys), node("dd", what));
    $("help").replaceChildren(node("h2", "Keys"), help, button("Close", () => $("help").close()));
  }

  #row(e) {
    const element = e.target.closest(".row");
    return element ? this.rows.pool.find((row) => row.element === element) : undefined;
  }

  #click(e) {
    const row = this.#row(e);
    if (!row || this.dragged) return;
    if (e.target.closest(".twisty")) {
      this.toggle(row.process);
      return;
    }
    this.detailed = true;
    this.select(row.process, false);
  }

  // wheel zooms with Ctrl, at the pointer, and pans sideways.
  #wheel(e) {
    const box = $("ticks").getBoundingClientRect();
    if (e.ctrlKey || e.metaKey) {
      e.preventDefault();
      const share = Math.min(1, Math.max(0, (e.clientX - box.left) / box.width));
      this.range.zoom(Math.exp(Math.max(-1, Math.min(1, e.deltaY / 300))), share);
    } else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
      e.preventDefault();
      this.range.pan((e.deltaX || e.deltaY) / box.width);
    }
  }

  // dragTime lets the mouse take the time along.
  #dragTime(element) {
    let from = null;
    element.addEventListener("pointerdown", (e) => {
      this.dragged = false;
      if (e.button === 0 && e.pointerType === "mouse" && (element !== $("scroll") || e.target.closest(".lane"))) from = e.clientX;
    });
    addEventListener("pointermove", (e) => {
      if (from === null || Math.abs(e.clientX - from) < 4 && !this.dragged) return;
      this.dragged = true;
      this.range.pan((from - e.clientX) / $("ticks").clientWidth);
      from = e.clientX;
    });
    addEventListener("pointerup", () => { from = null; });
  }

  #dragSplitter() {
    const splitter = $("splitter"), list = $("list");
    splitter.addEventListener("pointerdown", (e) => {
      splitter.setPointerCapture(e.pointerId);
      e.preventDefault();
    });
    splitter.addEventListener("pointermove", (e) => {
      if (!splitter.hasPointerCapture(e.pointerId)) return;
      const box = list.getBoundingClientRect();
      list.style.setProperty("--tree", `${Math.min(box.width - 160, Math.max(120, e.clientX - box.left))}px`);
      this.draw();
    });
  }
}

// say shows a sentence for a while, and gives it to screen readers.
function say(sentence) {
  $("said").textContent = sentence;
  clearTimeout(say.until);
  say.until = setTimeout(() => { $("said").textContent = ""; }, 3000);
}

try {
  const page = new Page(await readRecording($("recording").textContent));
  $("recording").remove();
  document.documentElement.dataset.ready = String(page.rec.count);
} catch (e) {
  $("command").textContent = "This page cannot show its recording";
  $("facts").textContent = `The file is damaged, or the browser is older than 2023: ${e}`;
}
