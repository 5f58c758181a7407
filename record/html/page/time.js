// The part of the time that is shown, the axis above the bars and the overview of
// the whole.

class TimeRange {
  constructor(length) {
    this.length = length;
    this.from = 0;
    this.to = length;
    this.changed = () => {};
  }

  get span() { return this.to - this.from; }

  // share returns where in the range the instant lies, from 0 to 1.
  share(at) { return (at - this.from) / this.span; }

  // show shows a part of the time, not less than a microsecond of it.
  show(from, to) {
    const span = Math.min(this.length, Math.max(1e3, to - from));
    this.from = Math.min(Math.max(0, from), this.length - span);
    this.to = this.from + span;
    this.changed();
  }

  // zoom makes the range by times as long; what lies at the share stays there.
  zoom(by, share = 0.5) {
    const at = this.from + share * this.span, span = this.span * by;
    this.show(at - share * span, at - share * span + span);
  }

  // pan moves it by a share of itself.
  pan(share) {
    const by = Math.min(Math.max(share * this.span, -this.from), this.length - this.to);
    this.show(this.from + by, this.to + by);
  }

  // reveal moves it to show at least something of a time that lies outside.
  reveal(begin, end) {
    if (begin > this.to || end < this.from) {
      const middle = (begin + end) / 2;
      this.show(middle - this.span / 2, middle + this.span / 2);
    }
  }

  // step returns a round time between two marks, of which n or fewer are shown.
  step(n) {
    const least = this.span / Math.max(1, n);
    const ten = 10 ** Math.floor(Math.log10(least));
    return ten * [1, 2, 5, 10].find((m) => m * ten >= least * 0.999);
  }
}

// drawAxis puts round times into the axis, and behind the rows a line at each and
// a stripe for each time in which events were lost.
function drawAxis(axis, behind, range, losses) {
  const step = range.step(axis.clientWidth / 90);
  const marks = [], lines = [];
  const place = (name, begin, end) => {
    const e = document.createElement("span");
    e.className = name;
    e.style.left = `${range.share(begin) * 100}%`;
    if (end !== undefined) e.style.width = `${((end - begin) / range.span) * 100}%`;
    return e;
  };
  for (let k = Math.ceil(range.from / step); k * step <= range.to && marks.length < 50; k++) {
    const mark = place("mark", k * step);
    mark.textContent = markText(k * step, step);
    marks.push(mark);
    lines.push(place("line", k * step));
  }
  for (const [since, until] of losses) {
    if (lines.length >= 100) break;
    if (since > range.to || until < range.from) continue;
    const stripe = place("loss", Math.max(since, range.from), Math.min(until, range.to));
    stripe.title = "Events were lost.";
    lines.push(stripe);
  }
  axis.replaceChildren(...marks);
  behind.replaceChildren(...lines);
}

// markText writes an instant with as many decimals as the step between marks
// asks for.
function markText(at, step) {
  if (at === 0) return "0";
  const [unit, name] = at >= 1e9 ? [1e9, "s"] : at >= 1e6 ? [1e6, "ms"] : [1e3, "µs"];
  const decimals = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
  return `${(at / unit).toFixed(Math.min(9, decimals))} ${name}`;
}

// An Overview draws how many processes ran at each time, what failed and what was
// lost, and shows the range; dragging in it sets the range.
class Overview {
  constructor(canvas, rec, range) {
    this.canvas = canvas;
    this.rec = rec;
    this.range = range;
    this.drag = null;
    canvas.addEventListener("pointerdown", (e) => {
      canvas.setPointerCapture(e.pointerId);
      this.drag = { from: this.#at(e), to: this.#at(e) };
    });
    canvas.addEventListener("pointermove", (e) => {
      if (this.drag === null) return;
      this.drag.to = this.#at(e);
      this.draw();
    });
    canvas.addEventListener("pointerup", () => {
      if (this.drag === null) return;
      const { from, to } = this.drag;
      this.drag = null;
      if (Math.abs(to - from) * canvas.clientWidth > 3 * rec.length) range.show(Math.min(from, to), Math.max(from, to));
      else range.show(from - range.span / 2, from + range.span / 2);
    });
    canvas.addEventListener("dblclick", () => range.show(0, rec.length));
  }

  #at(e) {
    const box = this.canvas.getBoundingClientRect();
    return Math.min(1, Math.max(0, (e.clientX - box.left) / box.width)) * this.rec.length;
  }

  draw() {
    const { canvas, rec, range } = this;
    const scale = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    if (this.sums?.length !== width) this.sums = rec.parallel(Math.max(1, width));
    const style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name);
    const c = canvas.getContext("2d");
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);
    const most = this.sums.reduce((a, b) => Math.max(a, b), 1), tall = height - 4;
    c.fillStyle = color("--wave");
    for (let x = 0; x < width; x++) {
      const h = (this.sums[x] / most) * (tall - 2);
      c.fillRect(x, tall - h, 1, h);
    }
    c.fillStyle = color("--loss");
    for (const [since, until] of rec.head.losses ?? []) {
      c.fillRect((since / rec.length) * width, 0, Math.max(2, ((until - since) / rec.length) * width), tall);
    }
    c.fillStyle = color("--failed");
    for (let i = 0; i < rec.count; i++) {
      if (rec.flags[i] & FAILED) c.fillRect(Math.min(width - 2, (rec.end[i] / rec.length) * width), tall, 2, 4);
    }
    const { from, to } = this.drag === null ? range : { from: Math.min(this.drag.from, this.drag.to), to: Math.max(this.drag.from, this.drag.to) };
    const left = (from / rec.length) * width, right = (to / rec.length) * width;
    if (right - left < width - 0.5) {
      c.fillStyle = color("--shade");
      c.fillRect(0, 0, left, height);
      c.fillRect(right, 0, width - right, height);
      c.fillStyle = color("--accent");
      c.fillRect(left, 0, 1.5, height);
      c.fillRect(Math.max(right, left + 1.5) - 1.5, 0, 1.5, height);
    }
    c.fillStyle = color("--fg");
    c.font = "11px system-ui, sans-serif";
    c.strokeStyle = color("--bg");
    c.lineWidth = 3;
    c.strokeText(`up to ${number(rec.peak)} at once`, 6, 12);
    c.fillText(`up to ${number(rec.peak)} at once`, 6, 12);
  }
}
