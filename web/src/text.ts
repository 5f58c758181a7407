// How things are written for people. What processes choose goes through visible or
// shell first.

const two = (n: number) => String(n).padStart(2, "0");

export const number = (n: number) => n.toLocaleString("en");

// byName is the order of names, in which web-2 comes before web-10.
export const byName = new Intl.Collator("en", { numeric: true }).compare;

export const plural = (n: number, one: string, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

// Controls, and what changes the direction of text or is not seen at all.
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;

function escape(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const short = { "\n": "\\n", "\t": "\\t", "\r": "\\r" }[char];
  if (short) return short;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

// visible writes what is not printable as the commands do.
export const visible = (text: string) => text.replace(unseen, escape);

// shell writes arguments as a command line that a shell takes for just these. What
// would act on a terminal it is pasted into is escaped, as $'\n'.
export function shell(args: readonly string[]): string {
  return args.map(quote).join(" ");
}

function quote(arg: string): string {
  if (/^[\w@%+=:,./-]+$/.test(arg)) return arg;
  if (arg.search(unseen) < 0) return `'${arg.replaceAll("'", "'\\''")}'`;
  // The digits of an escape end where the next character is no digit.
  return `$'${arg.replace(/[\\']/g, "\\$&").replace(unseen, (c) => {
    const code = c.codePointAt(0) ?? 0;
    return code < 0x80 && !"\n\t\r".includes(c) ? `\\${code.toString(8).padStart(3, "0")}` : escape(c);
  })}'`;
}

// duration writes milliseconds with about three figures.
export function duration(ms: number): string {
  if (!(ms > 0)) return "0 s";
  if (ms < 0.9995) return `${figures(ms * 1e3)} µs`;
  if (ms < 999.5) return `${figures(ms)} ms`;
  if (ms < 59_950) return `${figures(ms / 1e3)} s`;
  const s = Math.round(ms / 1e3);
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d >= 10) return `${d} d`;
  if (d > 0) return h > 0 ? `${d} d ${h} h` : `${d} d`;
  if (h > 0) return m > 0 ? `${h} h ${m} min` : `${h} h`;
  return s % 60 > 0 && m < 10 ? `${m} min ${s % 60} s` : `${m} min`;
}

function figures(v: number): string {
  const text = v >= 99.95 ? v.toFixed(0) : v >= 9.995 ? v.toFixed(1) : v.toFixed(2);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let u = 0;
  for (; n >= 1023.5 && u < units.length - 1; u++) n /= 1024;
  return `${u === 0 ? n : figures(n)} ${units[u]}`;
}

// clock writes an instant of the browser's time zone, with the date where that is
// not today's.
export function clock(ms: number, decimals = 0): string {
  const d = new Date(ms);
  const fraction = decimals > 0 ? `.${String(d.getMilliseconds()).padStart(3, "0").slice(0, decimals)}` : "";
  const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}${fraction}`;
  return d.toDateString() === new Date().toDateString() ? time : `${day(d)} ${time}`;
}

function day(d: Date): string {
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

// zone is the browser's, as an offset: UTC, UTC+1, UTC+5:30.
export function zone(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset(), m = Math.abs(minutes);
  if (m === 0) return "UTC";
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(m / 60)}${m % 60 > 0 ? `:${two(m % 60)}` : ""}`;
}

// sentence begins with a capital, and has an end.
export const sentence = (text: string) => (text === "" ? "" : text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : "."));

// ending says how a process ended, empty where that is not known.
export function ending(status: number | null | undefined, signal: string | null | undefined): string {
  if (signal) return signal;
  if (status === null || status === undefined) return "";
  return `exited ${status}`;
}

// milliseconds reads a time of the API, NaN where there is none.
export const milliseconds = (time: string | null | undefined) => (time ? Date.parse(time) : NaN);
