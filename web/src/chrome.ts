// What stands around the list: the tools, what is to be known of the answer, the
// path of the focus, help.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import type { TemplateResult } from "lit";
import type { Grouping, Edge } from "./api";
import { path } from "./api";
import { hasTimes, isLive, LIMITS, question, SPANS, write } from "./address";
import type { Only } from "./address";
import { GAP, parts } from "./columns";
import { gapText, missed } from "./gaps";
import type { Page } from "./page";
import { clock, duration, milliseconds, number, plural, sentence, visible } from "./text";

const GAPS = 10; // that are written out

const KEYS: [string, string][] = [
  ["↑ ↓  k j", "previous and next row"],
  ["← →  h l", "close or up, open or down"],
  ["e", "open or close the row"],
  ["E  C", "open all, close all"],
  ["Enter", "show only this process and what it made"],
  ["Backspace", "up again"],
  ["/", "search; Enter searches, Esc clears"],
  ["H", "choose a host, where there are several"],
  ["n  N", "next and previous hit"],
  ["f  F", "next and previous failure"],
  ["w  s", "zoom in and out"],
  ["a  d", "earlier and later"],
  ["z", "the window is the time of the process"],
  ["0", "follow now"],
  ["i", "details; Esc closes them"],
  ["c", "copy the command line"],
  ["t", "dark or light"],
  ["?", "these keys"],
];

const TERMS: [string, string][] = [
  ["nginx worker", "both words are in the name or the command line"],
  ["container:web", "also pod: namespace: unit: session: user: name: pid:"],
  ["exit!=0 exit:SIGKILL", "how it ended"],
  ["ancestor:nginx", "an nginx made it, or made who made it, and so on"],
  ["host:web-1", "on which host, by name or machine-id"],
  ["lived>10s", "how long it lived"],
  ["state:running", "or ended"],
  ["since:10m until:08:15", "sets the window"],
  ["match:^/usr/bin/", "a regular expression"],
  ["unit:\"a b\"", "a value with spaces"],
];

const GROUPINGS: [Grouping, string][] = [["none", "No groups"], ["container", "By container"], ["pod", "By pod"], ["unit", "By unit"], ["session", "By session"]];

export function header(page: Page): TemplateResult {
  const { place, feed, shape, window: w } = page, { answer, connection } = feed;
  const [mark, says, why] = feed.isLost ? ["lost", "not connected", "The daemon does not answer."]
    : feed.problem?.status === 401 ? ["lost", "not let in", "The daemon does not know who asks."]
    : !isLive(place) ? ["past", "history", "What is shown is of a time that is over."]
    : { connecting: ["wait", "connecting", "The stream of events is being opened."], live: ["live", "live", `What happens is shown as it happens${feed.source ? `, by ${visible(feed.source)}` : ""}.`],
      polling: ["poll", "polling", "There is no stream of events: the rows are asked for every few seconds."],
      busy: ["poll", "polling", "More happens than is worth following one by one: the rows are asked for every few seconds."],
      none: ["past", "history", "There is no live view of this here: the history is asked again every few seconds."],
      off: ["wait", "connecting", ""], lost: ["lost", "not connected", ""] }[connection];
  return html`
    <div class="top">
      <h1>lineage</h1>
      <span class="connection ${mark}" title=${why} role="status"><i aria-hidden="true"></i>${says}</span>
      <p class="facts">${answer && !(feed.isOther && !feed.awaited) ? html`
        <span>${plural(shape.total, "process", "processes")}, ${number(shape.running)} running${feed.isOfMany ? ` on ${plural(feed.columns.hosts.length, "host")}` : ""}</span>
        <span title=${[...(answer.source.cannot_tell ?? []), ...(answer.source.passed ?? []).map((p) => `not ${p.name}: ${p.why}`)].map(visible).join("\n")}>source ${visible(answer.source.name)}</span>
        <span class=${answer.complete ? "" : "warn"} title=${[...noted(page), missing(page)].filter(Boolean).join("\n")}>${answer.complete ? "complete" : "not complete"}</span>
        <span title=${answer.as_of}>as of ${feed.isCurrent ? "now" : clock(milliseconds(answer.as_of))}</span>
      ` : nothing}</p>
      <details class="menu"><summary title="Take this window elsewhere">Export</summary><div>
        ${([["perfetto", "Perfetto trace"], ["chrome", "Chrome trace"], ["html", "One HTML page"]] as const).map(([format, name]) => html`
          <a download href=${path("v1/export", { since: iso(w.from), until: iso(w.to), host: place.host, q: question(place), format })}>${name}</a>`)}
      </div></details>
      <button type="button" class="icon" aria-label="Dark or light" title="Dark or light (t)" @click=${() => page.press("t")}>◐</button>
      <button type="button" class="icon" aria-label="Keys" title="Keys (?)" @click=${() => page.press("?")}>?</button>
    </div>
    ${tools(page)}`;
}

// isWrong reports whether the daemon does not take what was typed.
const isWrong = ({ feed, place }: Page) => feed.problem?.status === 400 && place.q.trim() !== "";

const iso = (ms: number) => new Date(ms).toISOString();

function tools(page: Page): TemplateResult {
  const { place, feed, shape } = page, { problem } = feed;
  const asked = question(place) !== "", wrong = isWrong(page);
  const at = page.hit, follows = isLive(place) && !hasTimes(place.q);
  const choose = <T extends string>(title: string, value: T, all: readonly (readonly [T, string])[], to: (v: T) => void) => html`
    <select title=${title} aria-label=${title} .value=${live(value)} @change=${(e: Event) => to((e.target as HTMLSelectElement).value as T)}>
      ${all.map(([v, name]) => html`<option value=${v} ?selected=${v === value}>${name}</option>`)}
    </select>`;
  const spans = [...new Set([...SPANS, place.span])].sort((a, b) => a - b).map((ms) => [String(ms), `Last ${duration(ms)}`] as const);
  const many = feed.hosts.list.length > 1;
  return html`<div class="tools" role="toolbar" aria-label="Tools">
    ${page.hostBox.draw()}
    <form class="search" role="search" @submit=${(e: Event) => { e.preventDefault(); page.search(); page.list.scroll.focus(); }}>
      <input id="search" type="search" aria-label="Search" placeholder=${many ? "Search:  sh ancestor:nginx host:web-1  ( / )" : "Search:  nginx container:web exit!=0  ( / )"} spellcheck="false" autocomplete="off" autocapitalize="off"
        maxlength="1024" aria-invalid=${wrong ? "true" : "false"} aria-describedby=${wrong ? "wrong" : nothing} @input=${() => page.typed()} @search=${() => page.search()}>
      ${wrong && problem ? html`<p id="wrong" role="alert"><b>${visible(problem.detail)}</b> ${visible(problem.hint)}</p>` : nothing}
    </form>
    <output class="hits" aria-label="Hits">${asked && !wrong && !feed.isOther && feed.question !== "" ? html`${at > 0 ? html`${number(at)} of ` : nothing}${plural(shape.hits.length, "hit")}` : nothing}</output>
    ${asked ? html`<span class="segments"><button type="button" title="Previous hit (N)" aria-label="Previous hit" @click=${() => page.press("N")}>↑</button><button type="button" title="Next hit (n)" aria-label="Next hit" @click=${() => page.press("n")}>↓</button></span>` : nothing}
    <span class="segments" role="group" aria-label="Which processes">
      ${([["all", "All"], ["running", "Running"], ["ended", "Ended"], ["failed", "Failed"]] as [Only, string][]).map(([only, name]) => html`
        <button type="button" aria-pressed=${place.only === only ? "true" : "false"} @click=${() => page.go({ only })}>${name}</button>`)}
    </span>
    ${choose<Grouping>("Groups", place.by, many || place.by === "host" ? [...GROUPINGS, ["host", "By host"]] : GROUPINGS, (by) => page.go({ by }))}
    ${choose<Edge>("The tree: who made whom, or whose child each is now", place.edge, [["creator", "Tree by creator"], ["parent", "Tree by parent"]], (edge) => page.go({ edge }))}
    <span class="times">
      ${choose("The window", follows ? String(place.span) : "", follows ? spans : [["", windowName(page)], ...spans], (v) => v && page.follow(Number(v)))}
      ${follows ? nothing : html`<button type="button" class="follow" title="Follow now (0)" @click=${() => page.press("0")}>${feed.isReadOnly ? `Last ${duration(place.span)}` : "Live"}</button>`}
    </span>
  </div>`;
}

const windowName = ({ window: w }: Page) => `${clock(w.from)} – ${clock(w.to)} (${duration(w.to - w.from)})`;

// What notes of answers say that the page says in words of its own.
const SAID = ["there are gaps in the time that was asked for", "there are more rows", "those that started last were taken"];

const gapsIn = ({ feed, window: w }: Page) => (feed.answer?.gaps ?? []).filter((g) => Date.parse(g.until) >= w.from && Date.parse(g.since) <= w.to);

// noted is what the answer notes of itself, but for what the page says in its own words.
const noted = ({ feed: { answer } }: Page) => (answer?.complete === false ? (answer.note ?? "").split("; ").filter((note) => note !== "" && !SAID.includes(note)).map((note) => sentence(visible(note))) : []);

// missing says what is missing of the window, and where.
const missing = (page: Page) => missed(gapsIn(page), page.window, (of) => page.feed.on(of));

const act = (name: string, click: () => void) => html`<button type="button" @click=${click}>${name}</button>`;

// notices are what keeps the rows from being all there is, in one line: the most
// important first.
export function notices(page: Page): TemplateResult | typeof nothing {
  const { feed, place, shape } = page, { answer, problem } = feed, c = feed.columns;
  if (problem?.status === 401) return locked(page);
  if (problem && !isWrong(page)) {
    return html`<p class="notice bad" role="alert"><span><b>${sentence(visible(problem.detail))}</b> ${sentence(visible(problem.hint))}${stale(page)}${feed.asksAgain ? ` It is asked again ${feed.isUnable ? "now and then" : "every few seconds"}.` : ""}</span>
      ${act("Ask again", () => feed.show(place))} ${problem.status === 404 && place.host !== "" ? act("All hosts", () => page.choose("")) : nothing}</p>`;
  }
  const says: string[] = [], acts: TemplateResult[] = [];
  let kind = "";
  if (place.focus !== "" && shape.focus < 0 && answer && !feed.awaited) {
    kind = "warn";
    says.push(`The process in focus, ${parts(place.focus).id}, has no row in this window${question(place) ? " for this search" : ""}.`);
    acts.push(act("Show its time", () => page.fit(place.focus)), act("Show all", () => page.go({ focus: "" })));
  }
  if (feed.forgets) says.push(`${sentence(`${visible(feed.forgets.detail)}: what runs now is all there is`)} ${sentence(visible(feed.forgets.hint))}`);
  if (answer?.cut) {
    kind = "warn";
    says.push(`There are more than ${number(place.limit)} rows. Those that started last are shown: ${feed.isOfMany ? "choose a host, search" : "search"}, or make the window shorter.`);
    const limit = LIMITS.find((n) => n > place.limit);
    if (limit) acts.push(act(`Show ${number(limit)}`, () => page.go({ limit })));
  }
  const gaps = gapsIn(page), notes = noted(page);
  if (notes.length > 0 || gaps.length > 0) kind = "warn";
  says.push(...notes);
  if (gaps.length > 0) says.push(missing(page));
  if (place.edge === "creator" && c.count > 1) {
    let unknown = 0;
    for (let i = 0; i < c.count; i++) if (c.has(i, GAP)) unknown++;
    if (unknown > c.count / 2) {
      says.push("Who made most of these is not known.");
      acts.push(act("Show the tree by parent", () => page.go({ edge: "parent" })));
    }
  }
  if (says.length === 0) return nothing;
  const [first, ...others] = says, more = [...gaps.slice(0, GAPS).map((g) => gapText(g, (of) => feed.on(of))), ...(gaps.length > GAPS ? [`and ${number(gaps.length - GAPS)} more`] : [])];
  return html`<div class="notice line ${kind}" role="note"><details><summary><b>${first}</b> ${others.join(" ")}</summary>${more.length > 0 ? html`<ul>${more.map((line) => html`<li>${line}</li>`)}</ul>` : nothing}</details> ${acts}</div>`;
}

const stale = ({ feed: { answer } }: Page) => (answer ? ` What is shown is as of ${clock(milliseconds(answer.as_of))}.` : "");

// locked asks for the token. With it the daemon gives the browser its cookie, and
// sends it back to the same place.
function locked(page: Page): TemplateResult {
  const enter = (e: Event) => {
    e.preventDefault();
    const pasted = new FormData(e.target as HTMLFormElement).get("token") as string;
    const token = /[?&]token=([^&\s]+)/.exec(pasted)?.[1] ?? encodeURIComponent(pasted.trim());
    if (token !== "") location.assign(`./?token=${token}${write(page.place).replace("?", "&")}`);
  };
  return html`<form class="notice bad" @submit=${enter}>
    <span role="alert"><b>${page.feed.version > 0 ? "The daemon was started again" : "The daemon asks for its token"}:</b> open the address that it printed, or paste that here.${stale(page)}</span>
    <input name="token" type="password" autocomplete="off" required aria-label="Token" placeholder="Address or token"><button>Open</button>
  </form>`;
}

// trail is the path to the process in focus.
export function trail(page: Page): TemplateResult | typeof nothing {
  const { shape } = page, c = shape.columns;
  if (shape.focus < 0) return nothing;
  const steps = c.path(shape.focus);
  return html`<button type="button" @click=${() => page.go({ focus: "" })}>all</button>
    ${steps.map((i) => html`<span aria-hidden="true">›</span>${c.has(i, GAP) ? html`<em>unknown</em><span aria-hidden="true">›</span>` : nothing}
      <button type="button" aria-current=${i === shape.focus ? "true" : nothing} @click=${() => page.go({ focus: c.keys[i] })}>${visible(c.nameOf(i))} <small>${c.pid[i]}</small></button>`)}`;
}

// empty says why there are no rows, and what to do.
export function empty(page: Page): TemplateResult | typeof nothing {
  const { feed, place, shape } = page;
  if (shape.count > 0) return nothing;
  if (isWrong(page)) return html`<p><b>The search is not understood.</b> Below it is why.</p>`;
  if (!feed.answer) return feed.problem ? nothing : html`<p>Asking the daemon …</p>`;
  const away = missing(page);
  const host = feed.hosts.called(place.host), of = place.host === "" ? "" : ` of ${visible(host ? feed.hosts.title(host) : place.host)}`, others = place.host === "" ? nothing : act("All hosts", () => page.choose(""));
  if (question(place) !== "") {
    return html`<p><b>Nothing matches</b>${of} in the ${isLive(place) && !hasTimes(place.q) ? `last ${duration(place.span)}` : "window"}.${away ? ` ${away}` : ""}</p>
      <p><button type="button" @click=${() => page.press("Escape")}>Clear the search</button>
      <button type="button" @click=${() => page.widen()}>Make the window longer</button> ${others}</p>`;
  }
  return html`<p><b>No process is known</b>${of} in this window.${away ? ` ${away}` : ""}</p><p><button type="button" @click=${() => page.press("0")}>Follow now</button> ${others}</p>`;
}

export function help(close: () => void): TemplateResult {
  const list = (all: [string, string][]) => html`<dl>${all.map(([k, what]) => html`<dt>${k}</dt><dd>${what}</dd>`)}</dl>`;
  return html`<div class="columns"><section><h2>Keys</h2>${list(KEYS)}
    <p>Over the lanes: Ctrl + wheel zooms, Shift + wheel or a drag moves.</p></section>
    <section><h2>Search</h2>${list(TERMS)}
    <h2>Signs</h2><dl class="signs">
      <dt><span class="sample"></span></dt><dd>when it ran</dd>
      <dt><span class="sample unsure"></span></dt><dd>found running: its begin was read later</dd>
      <dt><span class="sample loose"></span></dt><dd>its end was not seen, or its host not heard of since</dd>
      <dt><span class="sample failed"></span></dt><dd>failed</dd>
      <dt><span class="sample adopted"></span></dt><dd>it has another parent than who made it</dd>
      <dt><span class="sample missing"></span></dt><dd>something is missing of this time</dd>
      <dt><i>unknown</i></dt><dd>who stands here nobody saw</dd>
      <dt>812 (7)</dt><dd>its PID, and that in its container</dd>
    </dl></section></div>
    <button type="button" autofocus @click=${close}>Close</button>`;
}
