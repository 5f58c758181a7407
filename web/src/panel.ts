// What is known of the selected process, beside the list.

import { html, nothing } from "lit";
import type { TemplateResult } from "lit";
import type { Answer, Container, Evidence, Exec, Link, Process } from "./api";
import { beside } from "./columns";
import { gapText } from "./gaps";
import { bytes, clock, duration, ending, milliseconds, number, plural, shell, visible } from "./text";

const EXECS = 30; // that are drawn

const meaning: Record<Evidence, string> = {
  observed: "observed: it came as an event of the kernel",
  scanned: "scanned: it was read some time after it came to be",
  inferred: "inferred: it follows by a rule of the kernel from what was read",
  unknown: "it is not known",
};

export interface PanelActions {
  select(key: string): void;
  focus(key: string): void;
  fit(key: string): void;
  host(id: string): void;
  copy(text: string): void;
  close(): void;
}

const evidence = (e: Evidence) => html`<span class="evidence ${e}" title=${meaning[e]}>${e}</span>`;

const fact = (name: string, value: unknown) => (value === null || value === undefined || value === "" || value === nothing ? nothing : html`<dt>${name}</dt><dd>${value}</dd>`);

// panel draws the process with a key. What away says is why the list does not have it,
// empty where it does; host is what its host is called, empty where there is but one, and
// heard when that was heard of last, Infinity for now.
export function panel(k: string, p: Process, answer: Answer, now: number, act: PanelActions, away: string, host: string, heard: number): TemplateResult {
  const boot = p.boot_id, id = p.host ?? answer.host ?? "";
  const begin = milliseconds(p.start), exit = p.exit;
  const args = p.args ?? null;
  return html`
    <header>
      <h2>${visible(p.name)}</h2>
      <button type="button" class="close" aria-label="Close" title="Close (Esc)" @click=${act.close}>×</button>
    </header>
    <p class="pids">${pids(p)}${host ? html` on <button type="button" class="link" title="Show only this host" @click=${() => act.host(id)}>${visible(host)}</button>` : nothing}</p>
    <p class="state ${exit && (exit.signal || exit.status) ? "bad" : ""}">${state(p, heard)}</p>
    ${away ? html`<p class="none">${away}</p>` : nothing}
    <p class="acts">
      <button type="button" @click=${() => act.focus(k)} title="Show only it and what it made (Enter)">Focus</button>
      <button type="button" @click=${() => act.fit(k)} title="Make the window its time (z)">Show its time</button>
    </p>
    <h3>Who made it</h3>
    ${chain(p.chain ?? [], p.chain_complete ?? false, k, act)}
    ${reparented(p) && p.parents ? html`<h3>Whose child it ${p.state === "alive" ? "is" : "was"} ${evidence(p.parent_evidence)}</h3>${chain(p.parents, p.parents_complete ?? false, k, act)}` : nothing}
    <h3>Command ${args ? html`<button type="button" class="copy" @click=${() => act.copy(shell(args))} title="Copy as a command line for a shell (c)">Copy</button>` : nothing}</h3>
    ${args ? html`<pre tabindex="0" aria-label="Command line">${shell(args)}</pre>` : html`<p class="none">${noArgs(p)}</p>`}
    ${p.args_cut ? html`<p class="none">There were more arguments than were kept.</p>` : nothing}
    ${p.redacted ? html`<p class="none">Arguments that look like secrets were replaced by [redacted].</p>` : nothing}
    ${execs(p, begin, act)}
    <h3>Facts ${evidence(p.evidence)}</h3>
    <dl>
      ${fact("Began", Number.isNaN(begin) ? html`not known` : html`${clock(begin, 3)}${p.start_precision === "tick" ? html` <small>to 10 ms</small>` : nothing}`)}
      ${fact("Ended", exit ? html`${Number.isNaN(milliseconds(exit.time)) ? "not known when" : html`${exit.evidence === "observed" ? "" : "by "}${clock(milliseconds(exit.time), 3)}`} ${evidence(exit.evidence)}` : nothing)}
      ${fact("Lived", exit ? (exit.lived_seconds === null ? "not known" : duration(exit.lived_seconds * 1e3)) : Number.isNaN(begin) ? "not known" : heard < now ? `${duration(heard - begin)} at least` : `${duration(now - begin)} until now`)}
      ${fact("Creator", html`${relative(k, p, p.creator_id, p.creator_pid, act)} ${evidence(p.creator_evidence)}`)}
      ${fact("Parent", html`${relative(k, p, p.parent_id, p.ppid, act)} ${evidence(p.parent_evidence)}`)}
      ${fact("Program", p.exe ? visible(p.exe) : p.file ? visible(p.file) : null)}
      ${fact("User", p.user === null && p.uid === null ? null : `${visible(p.user ?? String(p.uid))}${p.uid !== null && p.user !== String(p.uid) ? ` (${p.uid})` : ""}${p.ruid !== null && p.ruid !== p.uid ? `, really ${p.ruid}` : ""}`)}
      ${usage(p)}
      ${fact("Unit", p.unit ? visible(p.unit) : null)}
      ${fact("User unit", p.user_unit ? visible(p.user_unit) : null)}
      ${fact("Session", p.login_session ? visible(p.login_session) : null)}
      ${fact("Terminal", p.tty ? visible(p.tty) : null)}
      ${fact("Group, session", p.pgid === null || p.sid === null ? null : `${p.pgid}, ${p.sid}`)}
      ${fact("Cgroup", p.container_group ? visible(p.container_group) : null)}
      ${fact("ID", html`<code>${p.id}</code>`)}
      ${boot && boot !== answer.boot_id ? fact("Boot", html`an earlier one, <code>${boot}</code>`) : nothing}
      ${host ? fact("Machine ID", html`<code>${visible(id)}</code>`) : nothing}
    </dl>
    ${p.container ? html`<h3>Container</h3>${container(k, p, p.container, act)}` : nothing}
    ${answer.gaps.length > 0 ? html`<h3>Missing around it</h3><ul class="gaps">${answer.gaps.slice(0, 5).map((g) => html`<li>${gapText(g)}</li>`)}</ul>` : nothing}
    <p class="source">${answer.complete ? "Complete" : `Not complete${answer.note ? `: ${visible(answer.note)}` : ""}`}, from ${visible(answer.source.name)}, as of ${clock(milliseconds(answer.as_of), 3)}.</p>`;
}

// relative is a link to who made it or its parent, by name where a chain has that.
function relative(k: string, p: Process, id: string | null, pid: number | null, act: PanelActions): unknown {
  const link = [...(p.chain ?? []), ...(p.parents ?? [])].find((l) => l.id === id);
  if (!link) return pid ?? "not known";
  return html`<button type="button" class="link" @click=${() => act.select(beside(k, link.id))}>${visible(link.name)} ${link.pid}</button>`;
}

// noArgs says why there is no command line.
function noArgs(p: Process): string {
  if (p.kernel) return "A thread of the kernel has none.";
  if (p.missing) return visible(p.missing);
  return p.exec_count === 0 && p.creator_evidence === "observed" ? "It ran what its creator did: there was no exec." : "Not known.";
}

function pids(p: Process): string {
  const own = p.namespace_pids ?? [];
  if (own.length < 2) return `PID ${p.pid}`;
  return `PID ${p.pid}, inside ${own.slice(1).join(", then ")}`;
}

function state(p: Process, heard: number): TemplateResult {
  const exit = p.exit;
  if (!exit) return p.state === "unseen" ? html`Known only because another process named it.` : heard === Infinity ? html`Runs.` : html`Ran at ${clock(heard)}, when its host was heard of last.`;
  const how = ending(exit.status, exit.signal);
  const core = exit.core_dumped ? ", dumped core" : "";
  const text = exit.signal ? `Killed by ${exit.signal}${core}.` : how ? `${how[0].toUpperCase()}${how.slice(1)}.` : "Ended; how is not known.";
  return html`${text}${p.state === "zombie" ? " Not yet waited for: it is a zombie." : p.state === "alive" ? " It is exiting." : ""}`;
}

const reparented = (p: Process) => p.parent_id !== p.creator_id && p.parent_id !== null;

function chain(links: Link[], complete: boolean, k: string, act: PanelActions): TemplateResult {
  const gap = html`<li class="gap">unknown <small>who stands here is not known</small></li>`;
  return html`<ol class="chain">
    ${complete || links.length === 0 || links.some((l) => l.gap) ? nothing : gap}
    ${links.map((l, at) => html`
      <li class=${l.state}>${at === links.length - 1
        ? html`<b>${visible(l.name)}</b> <small>${l.pid}</small>`
        : html`<button type="button" @click=${() => act.select(beside(k, l.id))}>${visible(l.name)} <small>${l.pid}${l.state === "alive" ? "" : `, ${l.state}`}</small></button>`}</li>
      ${l.gap ? gap : nothing}`)}
  </ol>`;
}

function execs(p: Process, begin: number, act: PanelActions): TemplateResult | typeof nothing {
  const all = p.execs ?? [], count = p.exec_count ?? all.length;
  if (all.length === 0 || all.length === 1 && count <= 1 && all[0].time === null) return nothing;
  const shown = all.slice(-EXECS);
  return html`<h3>What it ran <small>${plural(count, "exec")}</small></h3>
    ${count > shown.length ? html`<p class="none">${number(count - shown.length)} of them are not here.</p>` : nothing}
    <ol class="execs">${shown.map((e) => html`<li>${exec(e, begin, act)}</li>`)}</ol>`;
}

function exec(e: Exec, begin: number, act: PanelActions): TemplateResult {
  const at = milliseconds(e.time), args = e.args;
  const when = Number.isNaN(at) ? "when it was found" : Number.isNaN(begin) ? clock(at, 3) : `after ${duration(at - begin)}`;
  return html`<span class="when" title=${Number.isNaN(at) ? "" : clock(at, 3)}>${when}</span>
    <code>${args ? shell(args) : e.file ? visible(e.file) : "not known"}</code>
    ${args ? html`<button type="button" class="copy" aria-label="Copy this command line" @click=${() => act.copy(shell(args))}>Copy</button>` : nothing}`;
}

function usage({ exit }: Process): TemplateResult | typeof nothing {
  if (!exit) return nothing;
  const { user_seconds: u, system_seconds: s, max_rss_bytes: m, read_bytes: r, written_bytes: w } = exit;
  return html`
    ${fact("CPU", u === null || s === null ? "not known" : `${duration((u + s) * 1e3)} (user ${duration(u * 1e3)}, system ${duration(s * 1e3)})`)}
    ${fact("Memory", m === null ? "not known" : `${bytes(m)} at most`)}
    ${fact("Storage", r === null || w === null ? null : `${bytes(r)} read, ${bytes(w)} written`)}`;
}

function container(k: string, p: Process, c: Container, act: PanelActions): TemplateResult {
  const from = p.entered_from;
  return html`<dl>
    ${fact("Name", c.name ? visible(c.name) : null)}
    ${fact("Image", c.image ? visible(c.image) : null)}
    ${fact("Pod", c.pod_name ? `${visible(c.pod_namespace ?? "")}/${visible(c.pod_name)}` : c.pod ? visible(c.pod) : null)}
    ${fact("Workload", c.workload ? visible(c.workload) : null)}
    ${fact("Compose", c.compose_service ? `${visible(c.compose_service)} of ${visible(c.compose_project ?? "?")}` : null)}
    ${fact("Role", c.role === "container" ? null : c.role)}
    ${fact("State", c.state)}
    ${fact("Runtime", c.runtime)}
    ${fact("ID", c.id ? html`<code>${visible(c.id)}</code>` : null)}
    ${fact("Within", c.outer?.map((o) => visible(o.name ?? o.id ?? "?")).join(", within "))}
    ${from ? fact("Entered from", html`<button type="button" class="link" @click=${() => act.select(beside(k, from.id))}>${visible(from.name)} ${from.pid}</button>`) : nothing}
  </dl>`;
}
