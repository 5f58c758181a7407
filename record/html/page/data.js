// The recording, as the page has it. What is looked at for all processes at once
// lies in typed arrays; the rest is read from the row of one process.

const FAILED = 1, OPEN = 2, TO_TICK = 4, UNKNOWN = 8, INFERRED = 16, GAP = 32, CRITICAL = 64;

// readRecording unpacks what is in the page, line by line.
async function readRecording(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream()
    .pipeThrough(new DecompressionStream("gzip"))
    .pipeThrough(new TextDecoderStream());
  const rows = [];
  let head = null, rest = "";
  const take = (line) => {
    if (head === null) head = JSON.parse(line);
    else rows.push(JSON.parse(line));
  };
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    lines.forEach(take);
  }
  return new Recording(head, rows);
}

class Recording {
  constructor(head, rows) {
    const n = rows.length;
    this.head = head;
    this.rows = rows;
    this.count = n;
    this.creator = new Int32Array(n);
    this.begin = new Float64Array(n); // ns since the recording began
    this.end = new Float64Array(n);
    this.flags = new Uint8Array(n);
    this.depth = new Int32Array(n);
    this.child = new Int32Array(n).fill(-1); // the first one
    this.next = new Int32Array(n).fill(-1); // the next of the same creator
    this.below = new Int32Array(n); // how many descend from it
    this.failedBelow = new Int32Array(n);
    this.cpuWith = new Float64Array(n); // ns, with all that descend from it
    this.lastEnd = new Float64Array(n); // of it and all that descend from it
    this.program = new Array(n);
    this.roots = [];
    this.failed = 0;
    this.open = 0;
    for (let i = 0; i < n; i++) this.#add(i, rows[i]);
    for (let i = n - 1; i >= 0; i--) this.#link(i);
    this.roots.reverse();
    this.waits = new Map(); // the parts of the critical path, see critical
    this.order = this.#order(); // the place of each where all are expanded
    this.length = Math.max(1, head.length);
    this.peak = this.#most();
  }

  #add(i, row) {
    const [creator, , begin, end, name, flags, , , , usage, execs] = row;
    this.creator[i] = creator;
    this.begin[i] = begin;
    this.end[i] = end;
    this.flags[i] = flags;
    this.depth[i] = creator < 0 ? 0 : this.depth[creator] + 1;
    if (execs.length > 0) this.program[i] = execs[execs.length - 1][1];
    else this.program[i] = creator < 0 ? name : this.program[creator];
    if (flags & FAILED) this.failed++;
    if (flags & OPEN) this.open++;
    this.lastEnd[i] = end;
    this.cpuWith[i] = usage ? usage[0] + usage[1] : 0;
  }

  // link puts the process before those that its creator made after it.
  #link(i) {
    const c = this.creator[i];
    if (c < 0) {
      this.roots.push(i);
      return;
    }
    this.next[i] = this.child[c];
    this.child[c] = i;
    this.below[c] += 1 + this.below[i];
    this.failedBelow[c] += this.failedBelow[i] + (this.flags[i] & FAILED ? 1 : 0);
    this.cpuWith[c] += this.cpuWith[i];
    this.lastEnd[c] = Math.max(this.lastEnd[c], this.lastEnd[i]);
  }

  #order() {
    const order = new Int32Array(this.count), stack = this.roots.slice().reverse();
    for (let place = 0; stack.length > 0; place++) {
      const i = stack.pop();
      order[i] = place;
      if (this.creator[i] >= 0 && this.next[i] >= 0) stack.push(this.next[i]);
      if (this.child[i] >= 0) stack.push(this.child[i]);
    }
    return order;
  }

  pid(i) { return this.rows[i][1]; }
  name(i) { return this.rows[i][4]; }
  ending(i) { return this.rows[i][6]; }
  container(i) { return this.rows[i][7]; }
  uid(i) { return this.rows[i][8]; }

  // usage is [user ns, system ns, most bytes resident, bytes read, written].
  usage(i) { return this.rows[i][9]; }

  // execs is an array of [ns since the recording began, program, file, command].
  execs(i) { return this.rows[i][10]; }

  // command is what the process ran last, as a shell takes it.
  command(i) {
    const execs = this.execs(i);
    return execs.length > 0 ? execs[execs.length - 1][3] || execs[execs.length - 1][2] : "";
  }

  // critical returns when the command waited for the process itself: begin, end,
  // begin, end and so on. That is its time without those of what it made and what
  // is on the critical path, which do not overlap.
  critical(i) {
    if (!(this.flags[i] & CRITICAL)) return [];
    let parts = this.waits.get(i);
    if (parts !== undefined) return parts;
    const made = [];
    for (let c = this.child[i]; c >= 0; c = this.next[c]) if (this.flags[c] & CRITICAL) made.push(c);
    made.sort((a, b) => this.begin[a] - this.begin[b]);
    parts = [];
    let at = this.begin[i];
    const part = (end) => { if (end > at) parts.push(at, end); };
    for (const c of made) {
      part(this.begin[c]);
      at = Math.max(at, this.end[c]);
    }
    part(this.end[i]);
    this.waits.set(i, parts);
    return parts;
  }

  // text is what a search looks in, in lower case.
  text(i) {
    let text = `${this.pid(i)} ${this.name(i)} ${this.ending(i)} ${this.container(i)}`;
    for (const [, , file, command] of this.execs(i)) text += ` ${file} ${command}`;
    return text.toLowerCase();
  }

  // parallel returns how many processes ran on average in each of n parts of the
  // time.
  parallel(n) {
    const sum = new Float64Array(n + 1), slope = new Float64Array(n + 1);
    const scale = n / this.length;
    for (let i = 0; i < this.count; i++) {
      const a = Math.min(n, this.begin[i] * scale), b = Math.min(n, Math.max(a, this.end[i] * scale));
      const first = Math.floor(a), last = Math.floor(b);
      if (first === last) {
        sum[first] += b - a;
        continue;
      }
      sum[first] += first + 1 - a;
      sum[last] += b - last;
      slope[first + 1]++;
      slope[last]--;
    }
    let whole = 0;
    for (let i = 0; i < n; i++) {
      whole += slope[i];
      sum[i] += whole;
    }
    return sum.subarray(0, n);
  }

  // most returns how many processes there were at most at one time.
  #most() {
    const begins = this.begin.slice().sort(), ends = this.end.slice().sort();
    let most = 0;
    for (let b = 0, e = 0; b < begins.length; b++) {
      while (e < ends.length && ends[e] <= begins[b]) e++;
      most = Math.max(most, b + 1 - e);
    }
    return most;
  }
}

// duration writes nanoseconds for people: three figures, as a rule.
function duration(ns) {
  if (ns < 0) return "–" + duration(-ns);
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 999.5e3) return `${figures(ns / 1e3)} µs`;
  if (ns < 999.5e6) return `${figures(ns / 1e6)} ms`;
  if (ns < 60e9) return `${figures(ns / 1e9)} s`;
  const s = Math.round(ns / 1e9), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  const two = (v) => String(v).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)} h` : `${m}:${two(s % 60)} min`;
}

function figures(v) {
  return v >= 99.95 ? v.toFixed(0) : v >= 9.995 ? v.toFixed(1) : v.toFixed(2);
}

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let u = 0;
  while (n >= 1023.5 && u < units.length - 1) {
    n /= 1024;
    u++;
  }
  return `${u === 0 ? n : figures(n)} ${units[u]}`;
}

// short cuts a text that would be too much for the browser to lay out.
function short(text, most) {
  return text.length <= most ? text : `${text.slice(0, most)}… (${number(text.length - most)} more characters)`;
}

const number = (n) => n.toLocaleString("en");
const plural = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;
