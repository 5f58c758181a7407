// The events as they happen: server-sent, taken up again where they broke off.

import type { Event } from "./api";
import { path } from "./api";

export type Connection =
  | "off" // not asked for
  | "connecting"
  | "live"
  | "polling" // there are no events: the rows are asked for now and then
  | "none" // there are none of what is looked at
  | "busy" // there are more events than are worth following
  | "lost"; // the daemon does not answer

const MOST = 3000; // events a second that are followed
const TOGETHER = 200; // ms for which events are gathered
const REST = 30e3; // ms before following is tried again after more
const KINDS = ["watching", "fork", "exec", "exit", "move", "seen", "gone", "loss"];

export class Stream {
  #source: EventSource | undefined;
  #cursor = "";
  #pending: Event[] = [];
  #timer = 0;
  #tries = 0;
  #second = 0;
  #many = 0;

  // take gets the events, some at a time; turn is told of the state of the
  // connection, or that the daemon has no events and will not have any.
  constructor(private readonly take: (events: Event[]) => void, private readonly turn: (to: Connection | "refused") => void) {}

  get isOpen(): boolean { return this.#source !== undefined || this.#timer !== 0; }

  // open goes on where the stream was; forget begins anew.
  open() {
    this.close();
    this.turn("connecting");
    const source = new EventSource(path("v1/events", { last_event_id: this.#cursor }));
    this.#source = source;
    source.onopen = () => {
      this.#tries = 0;
      this.turn("live");
    };
    for (const kind of KINDS) source.addEventListener(kind, (e) => this.#happen(e as MessageEvent<string>));
    source.onerror = () => {
      const isAnswered = source.readyState === EventSource.CLOSED;
      this.#again("polling", Math.min(30e3, 500 * 2 ** this.#tries++), isAnswered ? () => void this.#inquire() : undefined);
    };
  }

  close() {
    this.#source?.close();
    this.#source = undefined;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#pending = [];
  }

  forget() { this.#cursor = ""; }

  // inquire asks for what an EventSource does not tell, which error the answer is, and
  // opens the stream unless there is to be none.
  async #inquire() {
    const timer = this.#timer;
    const asking = new AbortController();
    const status = await fetch(path("v1/events"), { signal: asking.signal }).then((answer) => answer.status, () => 0);
    asking.abort();
    if (timer !== this.#timer) return; // it was opened meanwhile, or closed
    if (status !== 501) return this.open();
    this.close();
    this.turn("refused");
  }

  #again(state: Connection, after: number, then = () => this.open()) {
    this.close();
    this.turn(state);
    this.#timer = window.setTimeout(then, after);
  }

  #happen(e: MessageEvent<string>) {
    const second = Math.floor(performance.now() / 1e3);
    if (second !== this.#second) [this.#second, this.#many] = [second, 0];
    if (++this.#many > MOST) {
      this.forget(); // what it missed meanwhile is in the rows
      this.#again("busy", REST);
      return;
    }
    let event: Event;
    try {
      event = JSON.parse(e.data) as Event;
    } catch {
      return; // one that is cut is followed by the end of the stream
    }
    this.#cursor = event.cursor || e.lastEventId;
    // A frame would not come in a tab that is not seen.
    if (this.#pending.push(event) === 1) window.setTimeout(() => this.take(this.#pending.splice(0)), TOGETHER);
  }
}
