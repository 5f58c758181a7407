// The choice of a host: a field that is typed into, and the hosts that match below it.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import type { TemplateResult } from "lit";
import type { Host } from "./api";
import type { Page } from "./page";
import { duration, number, visible } from "./text";

const MOST = 100; // hosts that are drawn

export class HostBox {
  #isOpen = false;
  #typed = "";
  #at = 0; // in the choices
  #reveal = false;
  #unknown = ""; // what was asked for, and is none
  #chosen = ""; // the host then

  constructor(private readonly page: Page) {}

  // draw draws it where there is more than one host, one is asked for, or which there
  // are is not known.
  draw(): TemplateResult | typeof nothing {
    const { place, feed } = this.page, { hosts } = feed, count = hosts.list.length, all = count > 0 ? `All ${number(count)} hosts` : "All hosts";
    if (count < 2 && place.host === "" && !(feed.isReadOnly && count === 0)) return nothing;
    const chosen = hosts.called(place.host), name = chosen ? hosts.title(chosen) : place.host;
    const choices = this.#choices(), drawn = choices.slice(0, MOST), at = Math.min(this.#at, drawn.length - 1);
    if (this.#reveal) requestAnimationFrame(() => document.getElementById(`host${at}`)?.scrollIntoView({ block: "nearest" }));
    this.#reveal = false;
    const unknown = this.#chosen === place.host ? this.#unknown : "", isWrong = unknown !== "" && (!this.#isOpen || this.#typed === unknown);
    return html`<div class="hostbox ${place.host === "" ? "" : "chosen"}">
      <input id="host" type="text" role="combobox" aria-label="Host" aria-expanded=${this.#isOpen ? "true" : "false"} aria-controls="hosts" aria-autocomplete="list" aria-haspopup="listbox"
        aria-invalid=${isWrong ? "true" : "false"} aria-activedescendant=${this.#isOpen && at >= 0 ? `host${at}` : nothing} title="Which host (H)" placeholder=${this.#isOpen ? "Type its name" : all} spellcheck="false" autocomplete="off" autocapitalize="off" maxlength="256"
        .value=${live(this.#isOpen ? this.#typed : unknown || visible(name))} @focus=${this.#open} @pointerdown=${this.#open} @blur=${() => this.#close()} @input=${(e: Event) => this.#type((e.target as HTMLInputElement).value)} @keydown=${(e: KeyboardEvent) => this.#press(e)}>
      ${this.#isOpen ? html`<div class="choices" @pointerdown=${(e: Event) => e.preventDefault()}>
        <ul id="hosts" role="listbox" aria-label="Hosts">${drawn.map((h, i) => html`
          <li id="host${i}" role="option" aria-selected=${i === at ? "true" : "false"} class=${(h ? h === chosen : place.host === "") ? "now" : ""} @click=${() => this.#choose(h)}>${h ? this.#option(h) : all}</li>`)}</ul>
        ${choices.length > drawn.length ? html`<p>and ${number(choices.length - drawn.length)} more: type a part of the name</p>` : nothing}
        ${choices.length === 0 ? html`<p role="status">No host is called like that.</p>` : nothing}
      </div>` : nothing}
    </div>`;
  }

  #option(h: Host): TemplateResult {
    const { hosts, now } = this.page.feed, heard = hosts.heard(h.id), [name, id] = hosts.words(h);
    return html`<span>${visible(name)}</span>${id ? html`<code>${id}</code>` : nothing}${h.own ? html`<small>this one</small>` : heard < now ? html`<small>heard of ${duration(now - heard)} ago</small>` : nothing}`;
  }

  // choices are what matches, undefined for all hosts, and the one of now before others.
  #choices(): (Host | undefined)[] {
    const { place, feed: { hosts } } = this.page, chosen = hosts.called(place.host);
    if (this.#typed.trim() !== "") return hosts.search(this.#typed);
    return chosen ? [undefined, chosen, ...hosts.list.filter((h) => h !== chosen)] : [undefined, ...hosts.list];
  }

  // open lets another name be typed at once, in place of the one of now.
  readonly #open = (e: Event) => {
    if (this.#isOpen) return;
    const { place, feed } = this.page;
    this.#isOpen = true;
    this.#typed = this.#chosen === place.host ? this.#unknown : "";
    (e.currentTarget as HTMLInputElement).value = this.#typed;
    this.#go(feed.hosts.called(place.host) ? 1 : 0);
    void feed.askHosts();
  };

  #close() {
    this.#isOpen = false;
    this.page.draw();
  }

  #type(text: string) {
    this.#isOpen = true;
    this.#typed = text;
    this.#go(0);
  }

  #go(to: number) {
    this.#at = to;
    this.#reveal = true;
    this.page.draw();
  }

  #choose(h: Host | undefined) {
    this.#isOpen = false;
    this.#unknown = "";
    this.page.list.scroll.focus();
    this.page.choose(h ? this.page.feed.hosts.address(h.id) : "");
  }

  // refuse says that none is called as was typed, which stays to be mended.
  #refuse() {
    [this.#unknown, this.#chosen] = [this.#typed, this.page.place.host];
    this.page.say(`No host is called “${visible(this.#typed.trim())}”.`);
    this.page.draw();
  }

  #press(e: KeyboardEvent) {
    const choices = this.#choices(), last = Math.min(choices.length, MOST) - 1, at = Math.min(this.#at, last);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10 }[e.key];
    if (to !== undefined) {
      if (this.#isOpen) this.#go(Math.max(0, Math.min(last, to)));
      else this.#open(e);
    } else if (e.key === "Enter") {
      if (!this.#isOpen) this.#open(e);
      else if (at >= 0) this.#choose(choices[at]);
      else this.#refuse();
    } else if (e.key === "Escape") {
      this.#unknown = "";
      this.page.list.scroll.focus();
    } else {
      return;
    }
    e.preventDefault();
  }
}
