// What the daemon answers, as api/openapi.yaml says it, and how it is asked.

export type State = "alive" | "zombie" | "ended" | "unseen";
export type Evidence = "observed" | "scanned" | "inferred" | "unknown";
export type Grouping = "none" | "container" | "pod" | "unit" | "session" | "host";
export type Edge = "creator" | "parent";

export interface Gap {
  reason: "away" | "lost" | "dropped" | "damaged";
  since: string;
  until: string;
  lost: number | null;
  host: string | null; // its machine-id
}

export interface Source {
  name: string;
  cannot_tell: string[] | null;
  passed?: { name: string; why: string }[];
}

export interface Answer {
  source: Source;
  complete: boolean;
  note?: string;
  as_of: string;
  host: string | null; // null of several
  boot_id: string | null; // null of several hosts
  gaps: Gap[];
}

// A Host is one that the history knows.
export interface Host {
  id: string; // its machine-id(5)
  name: string | null;
  boot_id: string; // its latest
  last: string | null; // when it was heard of last
  behind_seconds: number | null; // how long ago that was
  own: boolean; // it is the daemon's
}

// A Status is what the page asks of it.
export interface Status extends Answer {
  read_only: boolean; // nothing is watched
}

export interface HostsAnswer extends Answer {
  hosts: Host[];
}

export interface Container {
  runtime: string | null;
  id: string | null;
  name: string | null;
  image: string | null;
  state: string | null;
  pod: string | null;
  pod_name?: string;
  pod_namespace?: string;
  workload?: string;
  compose_service?: string;
  compose_project?: string;
  role: string | null;
  serves?: string;
  outer?: Container[];
}

export interface Row {
  id: string;
  pid: number;
  boot_id?: string;
  up: number | null;
  gap?: boolean;
  ppid: number | null;
  creator_pid: number | null;
  adopted?: boolean;
  name: string;
  command?: string;
  state: State;
  scanned?: boolean;
  began_ms: number | null;
  ended_ms: number | null;
  end_uncertain?: boolean;
  status?: number;
  signal?: string;
  failed?: boolean;
  namespace_pid?: number;
  container?: number;
  group?: number;
  host?: number; // in hosts, of an answer over several
  matched: boolean;
}

export interface TreeAnswer extends Answer {
  since: string;
  until: string;
  rows: Row[];
  containers: Container[];
  hosts?: { id: string; name: string | null }[];
  groups: { key: string; name: string; rows: number }[];
  cut: boolean;
}

export interface CountsAnswer extends Answer {
  since: string;
  until: string;
  bucket_seconds: number;
  estimated: boolean;
  buckets: { time: string; lived: number; started: number; ended: number; failed: number }[];
}

export interface Link {
  pid: number;
  id: string;
  name: string;
  state: State;
  gap?: boolean;
}

export interface Exec {
  time: string | null;
  file: string | null;
  args: string[] | null;
  args_cut?: boolean;
  redacted?: boolean;
}

export interface Exit {
  evidence: Evidence;
  time: string | null;
  status: number | null;
  signal: string | null;
  core_dumped?: boolean;
  lived_seconds: number | null;
  user_seconds: number | null;
  system_seconds: number | null;
  max_rss_bytes: number | null;
  read_bytes: number | null;
  written_bytes: number | null;
}

export interface Process {
  pid: number;
  id: string;
  host?: string; // of an answer over several hosts
  host_name?: string;
  boot_id?: string;
  ppid: number | null;
  parent_id: string | null;
  parent_evidence: Evidence;
  creator_pid: number | null;
  creator_id: string | null;
  creator_evidence: Evidence;
  name: string;
  state: State;
  kernel: boolean;
  evidence: Evidence;
  start: string | null;
  start_precision: "tick" | "ns" | null;
  uid: number | null;
  user: string | null;
  ruid: number | null;
  exe: string | null;
  args: string[] | null;
  args_cut?: boolean;
  redacted?: boolean;
  file?: string;
  pgid: number | null;
  sid: number | null;
  tty: string | null;
  namespace_pids: number[] | null;
  container_group: string | null;
  container: Container | null;
  entered_from?: Link;
  unit: string | null;
  user_unit: string | null;
  login_session: string | null;
  exit?: Exit;
  missing?: string;
  chain?: Link[];
  chain_complete?: boolean;
  parents?: Link[];
  parents_complete?: boolean;
  execs?: Exec[];
  exec_count?: number;
}

export interface ProcessAnswer extends Answer {
  process: Process;
}

// An Event is one of the stream. One of a process has the fields that it can tell.
export interface Event extends Partial<Process> {
  event: "watching" | "fork" | "exec" | "exit" | "move" | "seen" | "gone" | "loss";
  time: string;
  cursor: string;
  source?: Source; // of watching
}

// A Problem is what the daemon says is wrong. Its status is 0 where there was no
// answer at all.
export class Problem extends Error {
  constructor(readonly status: number, readonly detail: string, readonly hint = "", readonly retryAfter = 0) {
    super(detail);
  }
}

// path makes a path of the API with what is asked of it. What is empty is left out.
// It is relative: the daemon may stand behind a path of a proxy.
export function path(name: string, asked: Record<string, string | number> = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(asked)) if (value !== "") query.set(key, String(value));
  const text = query.toString();
  return `./${name}${text === "" ? "" : `?${text}`}`;
}

// ask returns the answer, or throws a Problem. Aborted, it throws what fetch does.
export async function ask<T extends Answer>(address: string, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(address, { headers: { Accept: "application/json" }, signal: signal ?? null });
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new Problem(0, "The daemon does not answer.");
  }
  if (!answer.ok) throw await problem(answer);
  try {
    return (await answer.json()) as T;
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new Problem(0, "The answer of the daemon broke off.");
  }
}

async function problem(answer: Response): Promise<Problem> {
  const retry = Number(answer.headers.get("Retry-After") ?? 0) || 0;
  try {
    const { detail, hint } = (await answer.json()) as { detail?: string; hint?: string };
    if (detail) return new Problem(answer.status, detail, hint ?? "", retry);
  } catch {
    // Something that stands before the daemon may say it in another form.
  }
  if (answer.status === 401) return new Problem(401, "The daemon asks for its token.", "Open the page as /?token=…", retry);
  return new Problem(answer.status, `The answer was ${answer.status} ${answer.statusText}.`, "", retry);
}
