// The panel at the side: it asks for the process that is selected, and again when
// its row has changed.

import { html, nothing, render } from "lit";
import { Problem } from "./api";
import type { ProcessAnswer } from "./api";
import { parts } from "./columns";
import { panel } from "./panel";
import type { PanelActions } from "./panel";
import type { Page } from "./page";

const WAIT = 60; // ms; while a key is held, nothing is asked for

export class Side {
  #wanted = ""; // the process, and what its row said of it
  #shown = ""; // the process
  #answer: ProcessAnswer | undefined;
  #problem: Problem | undefined;
  #asking: AbortController | undefined;
  #timer = 0;
  readonly #act: PanelActions;

  constructor(private readonly element: HTMLElement, private readonly page: Page) {
    this.#act = {
      select: (key) => page.select(key, true),
      focus: (key) => page.go({ focus: key }),
      fit: (key) => void page.fit(key),
      host: (id) => page.go({ host: page.feed.hosts.address(id) }),
      copy: (text) => page.copy(text),
      close: () => void page.press("Escape"),
    };
  }

  draw() {
    const { place, feed, selected, shape } = this.page, c = feed.columns;
    const open = place.panel && place.select !== "";
    this.element.hidden = !open;
    if (!open) return;
    const row = selected < 0 ? "" : [c.flags[selected], c.name[selected], c.commands[selected]].join(" ");
    const wanted = `${place.select} ${row}`;
    if (wanted !== this.#wanted) {
      this.#wanted = wanted;
      this.#asking?.abort();
      clearTimeout(this.#timer);
      const key = place.select;
      this.#timer = window.setTimeout(() => void this.#ask(key), this.#shown === "" ? 0 : WAIT);
    }
    if (this.#problem) {
      render(html`<header><h2>${parts(place.select).id}</h2><button type="button" class="close" aria-label="Close" @click=${this.#act.close}>×</button></header>
        <p class="bad" role="alert">${this.#problem.detail} ${this.#problem.hint}</p>`, this.element);
    } else if (this.#answer) {
      const { process } = this.#answer, id = process.host ?? this.#answer.host ?? "";
      const why = ["Not in the window", ...(feed.question === "" ? [] : ["not what is searched for"]), ...(place.host === "" ? [] : ["of another host"])];
      const away = feed.answer && !shape.has(selected) ? `${why.join(", or ")}.` : "";
      const host = id !== "" && feed.hosts.list.length > 1 ? feed.hosts.name(id, process.host_name) : "";
      render(panel(this.#shown, process, this.#answer, feed.now, this.#act, away, host, feed.hosts.heard(id)), this.element);
    } else {
      render(nothing, this.element);
    }
  }

  async #ask(key: string) {
    const asking = (this.#asking = new AbortController());
    try {
      const answer = await this.page.process(key, asking.signal);
      this.#answer = answer;
      this.#problem = undefined;
    } catch (e) {
      if (asking.signal.aborted) return;
      if (!(e instanceof Problem)) throw e;
      this.#problem = e;
    }
    if (key !== this.#shown) this.element.scrollTop = 0;
    this.#shown = key;
    this.page.draw();
  }
}
