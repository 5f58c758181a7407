// How many processes lived in each part of a longer time, with the window in it, which
// can be set, moved and zoomed there.

import type { CountsAnswer, Gap } from "./api";
import { clock, duration, plural } from "./text";
import type { Range } from "./range";
import { share, ticks, zoom } from "./range";

const HOUR = 3600e3;
const GRIP = 6; // pixels from an edge that hold it

type Drag = { kind: "new" | "move" | "from" | "to"; at: number; window: Range };

export class Minimap {
  range: Range = { from: 0, to: 1 };
  #window: Range = { from: 0, to: 1 };
  #drag: Drag | undefined;

  // moved is told of the window as it is dragged, and at the end with done.
  constructor(private readonly canvas: HTMLCanvasElement, private readonly moved: (window: Range, done: boolean) => void) {
    canvas.addEventListener("pointerdown", (e) => this.#down(e));
    canvas.addEventListener("pointermove", (e) => this.#move(e));
    canvas.addEventListener("pointerup", (e) => this.#up(e));
    canvas.addEventListener("pointercancel", () => { this.#drag = undefined; });
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      const w = this.#window, at = (this.#at(e.clientX) - w.from) / (w.to - w.from);
      moved(this.#inside(zoom(w, Math.exp(Math.max(-1, Math.min(1, e.deltaY / 400))), Math.min(1, Math.max(0, at)))), true);
    }, { passive: false });
  }

  get isDragged(): boolean { return this.#drag !== undefined; }

  // around takes a time around the window. That of a window in the past moves only
  // when the window leaves it, or is too small in it to be seen.
  around(w: Range, now: number, live: boolean) {
    const span = w.to - w.from, wide = Math.max(HOUR, 4 * span), { from, to } = this.range;
    if (live) {
      this.range = { from: now - wide, to: now };
    } else if (!this.isDragged && (w.from < from || w.to > to || span < (to - from) / 200)) {
      const narrow = Math.min(wide, 100 * span), end = Math.min(now, (w.from + w.to + narrow) / 2);
      this.range = { from: end - narrow, to: end };
    }
  }

  #at(x: number): number {
    const box = this.canvas.getBoundingClientRect();
    return this.range.from + Math.min(1, Math.max(0, (x - box.left) / box.width)) * (this.range.to - this.range.from);
  }

  #inside(w: Range): Range {
    const { from, to } = this.range, span = Math.min(w.to - w.from, to - from);
    const begin = Math.min(Math.max(w.from, from), to - span);
    return { from: begin, to: begin + span };
  }

  #kind(x: number): Drag["kind"] {
    const box = this.canvas.getBoundingClientRect(), px = (at: number) => box.left + share(this.range, at) * box.width;
    const [a, b] = [px(this.#window.from), px(this.#window.to)];
    if (Math.abs(x - a) <= GRIP && x <= (a + b) / 2) return "from";
    if (Math.abs(x - b) <= GRIP) return "to";
    return x > a && x < b && b - a < box.width * 0.9 ? "move" : "new";
  }

  #down(e: PointerEvent) {
    if (e.button !== 0) return;
    this.canvas.setPointerCapture(e.pointerId);
    this.#drag = { kind: this.#kind(e.clientX), at: this.#at(e.clientX), window: this.#window };
  }

  #move(e: PointerEvent) {
    if (!this.#drag) {
      this.canvas.style.cursor = { new: "crosshair", move: "grab", from: "ew-resize", to: "ew-resize" }[this.#kind(e.clientX)];
      return;
    }
    this.moved(this.#dragged(this.#at(e.clientX)), false);
  }

  #up(e: PointerEvent) {
    const drag = this.#drag;
    if (!drag) return;
    const at = this.#at(e.clientX), window = this.#dragged(at);
    this.#drag = undefined;
    const pixels = Math.abs(share(this.range, at) - share(this.range, drag.at)) * this.canvas.clientWidth;
    if (pixels >= 3) return this.moved(window, true);
    // A click takes the window there.
    const half = (drag.window.to - drag.window.from) / 2;
    if (drag.kind === "new") this.moved(this.#inside({ from: at - half, to: at + half }), true);
  }

  #dragged(at: number): Range {
    const { kind, at: begin, window: w } = this.#drag!;
    const [a, b] = { new: [begin, at], move: [w.from + at - begin, w.to + at - begin], from: [at, w.to], to: [w.from, at] }[kind];
    return this.#inside({ from: Math.min(a, b), to: Math.max(a, b, Math.min(a, b) + 1) });
  }

  // draw draws the counts, or says why there are none. isPart reports
  // whether gaps are of some of the hosts alone.
  draw(window: Range, counts: CountsAnswer | undefined, gaps: readonly Gap[], isPart: (gaps: readonly Gap[]) => boolean, why = "") {
    this.#window = window;
    const { canvas, range } = this, scale = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const style = getComputedStyle(canvas), color = (name: string) => style.getPropertyValue(name);
    const c = canvas.getContext("2d")!;
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);
    const tall = height - 15, x = (at: number) => share(range, at) * width;
    const buckets = counts?.buckets ?? [], length = (counts?.bucket_seconds ?? 0) * 1e3;
    let most = 1;
    for (const b of buckets) most = Math.max(most, b.lived);
    for (const b of buckets) {
      const at = x(Date.parse(b.time)), wide = Math.max(0.5, (length / (range.to - range.from)) * width);
      const h = b.lived > 0 ? Math.max(1, (b.lived / most) * (tall - 3)) : 0;
      c.fillStyle = color("--wave");
      c.fillRect(at, tall - h, wide + 0.3, h);
      if (b.failed > 0) {
        c.fillStyle = color("--mark");
        c.fillRect(at, tall - 3, Math.max(2, wide), 3);
      }
    }
    c.strokeStyle = color("--hatch");
    c.lineWidth = 1.5;
    for (const gap of gaps) {
      const a = x(Date.parse(gap.since)), wide = Math.max(3, x(Date.parse(gap.until)) - a);
      if (a > width || a + wide < 0) continue;
      c.save();
      c.beginPath();
      c.rect(a, isPart([gap]) ? tall - 12 : 0, wide, tall);
      c.clip();
      c.beginPath();
      for (let k = Math.max(-tall, -a - tall); k < Math.min(wide, width - a); k += 7) {
        c.moveTo(a + k, tall);
        c.lineTo(a + k + tall, 0);
      }
      c.stroke();
      c.restore();
    }
    const a = x(this.#window.from), b = Math.max(a + 2, x(this.#window.to));
    c.fillStyle = color("--shade");
    c.fillRect(0, 0, a, tall);
    c.fillRect(b, 0, width - b, tall);
    c.fillStyle = color("--grip");
    for (const edge of [a, b - 2]) {
      c.fillRect(edge, 0, 2, tall);
      c.fillRect(edge - 1.5, tall / 2 - 7, 5, 14);
    }
    c.font = "11px system-ui, sans-serif";
    c.fillStyle = color("--quiet");
    for (const { at, text } of ticks(range, width / 130)) {
      c.fillRect(x(at), tall, 1, 4);
      if (x(at) + 70 < width) c.fillText(text, x(at) + 4, height - 3);
    }
    // A bucket counts each that lived in it, also those that did not at the same time.
    const crowd = buckets.length > 0 ? `${counts!.estimated ? "about" : "up to"} ${plural(most, "process", "processes")} in ${duration(length)}` : "";
    if (crowd !== "" || why !== "") {
      const text = why || crowd;
      c.strokeStyle = color("--paper");
      c.lineWidth = 3;
      c.strokeText(text, 6, 12);
      c.fillStyle = color("--ink");
      c.fillText(text, 6, 12);
    }
    canvas.ariaLabel = `How many processes there were from ${clock(range.from)} to ${clock(range.to)}: ${crowd || "not known"}. The window is ${clock(this.#window.from)} to ${clock(this.#window.to)}; the keys w, s, a and d zoom and move it.`;
  }
}
