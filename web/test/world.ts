// Processes that a test chooses, as the fake daemon tells of them.

import type { Container, Host, Link } from "../src/api";

export interface Made {
  pid: number;
  name: string;
  args?: string[];
  under?: Made; // who made it
  parent?: Made; // whose child it is now, unless that is the same
  began: number; // ms before now
  ended?: number;
  status?: number;
  signal?: string;
  container?: Container;
  own?: number; // its PID in its container
  unit?: string;
  session?: string;
  gap?: boolean; // who made it is not known: under is its parent
  scanned?: boolean;
  zombie?: boolean;
  kernel?: boolean;
  user?: string;
  host?: string; // its machine-id, where it is not of the first host
  boot?: string; // where it is not the last one of its host
}

export const id = (p: Made) => `${p.pid}@${(1e6 - p.began / 1e3).toFixed(2)}~${p.pid * 7}`;

const container = (name: string, image: string, more: Partial<Container> = {}): Container => ({
  runtime: "docker", id: name.repeat(32).slice(0, 32).replace(/[^a-f0-9]/g, "0") + "8fbd0ec4a1dba3ec", name, image, state: "running", pod: null, role: "container", ...more,
});

const SECOND = 1e3, MINUTE = 60e3, HOUR = 3600e3;

// host is a machine of an ordinary day, with something of each kind.
export function host(): Made[] {
  const all: Made[] = [];
  const make = (p: Made) => {
    all.push(p);
    return p;
  };
  const web = container("web", "nginx:1.27"), db = container("db", "postgres:17", { pod: "4f0c", pod_name: "db-0", pod_namespace: "shop", workload: "statefulset/db" });
  const init = make({ pid: 1, name: "systemd", args: ["/sbin/init"], began: 30 * HOUR, scanned: true, unit: "init.scope", user: "root" });
  const kthreadd = make({ pid: 2, name: "kthreadd", began: 30 * HOUR, scanned: true, kernel: true });
  for (let k = 0; k < 12; k++) make({ pid: 10 + k, name: "kworker/0:1H", under: kthreadd, began: 30 * HOUR, scanned: true, kernel: true });
  make({ pid: 301, name: "systemd-journal", args: ["/lib/systemd/systemd-journald"], under: init, began: 30 * HOUR - 2 * SECOND, scanned: true, gap: true, unit: "systemd-journald.service" });
  make({ pid: 502, name: "cron", args: ["/usr/sbin/cron", "-f"], under: init, began: 29.9 * HOUR, scanned: true, gap: true, unit: "cron.service" });
  const dockerd = make({ pid: 640, name: "dockerd", args: ["/usr/bin/dockerd", "-H", "fd://"], under: init, began: 29.8 * HOUR, scanned: true, gap: true, unit: "docker.service" });
  const sshd = make({ pid: 655, name: "sshd", args: ["sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"], under: init, began: 29.8 * HOUR, scanned: true, gap: true, unit: "ssh.service" });

  const shim = make({ pid: 2040, name: "containerd-shim", args: ["/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", "8fbd0ec4"], under: dockerd, parent: init, began: 4 * MINUTE, unit: "docker.service" });
  const nginx = make({ pid: 2061, name: "nginx", args: ["nginx: master process nginx -g daemon off;"], under: shim, began: 3.9 * MINUTE, container: web, own: 1, unit: "docker-8fbd.scope" });
  for (let k = 0; k < 4; k++) make({ pid: 2090 + k, name: "nginx", args: ["nginx: worker process"], under: nginx, began: 3.8 * MINUTE - k * 20, container: web, own: 29 + k, unit: "docker-8fbd.scope", user: "www-data" });
  make({ pid: 2300, name: "curl", args: ["curl", "-fsS", "http://localhost/health"], under: nginx, began: 40 * SECOND, ended: 39.2 * SECOND, status: 22, container: web, own: 57, unit: "docker-8fbd.scope" });
  const postgres = make({ pid: 2110, name: "postgres", args: ["postgres", "-c", "shared_buffers=1GB"], under: shim, began: 3.5 * MINUTE, container: db, own: 1, unit: "docker-77ab.scope" });
  for (const [k, name] of ["checkpointer", "walwriter", "autovacuum"].entries()) make({ pid: 2120 + k, name: "postgres", args: [`postgres: ${name}`], under: postgres, began: 3.4 * MINUTE, container: db, own: 30 + k, unit: "docker-77ab.scope" });

  const session = make({ pid: 3001, name: "sshd", args: ["sshd: ada [priv]"], under: sshd, began: 4.6 * MINUTE, unit: "session-7.scope", session: "7" });
  const bash = make({ pid: 3010, name: "bash", args: ["-bash"], under: session, began: 4.5 * MINUTE, unit: "session-7.scope", session: "7", user: "ada" });
  const shell = { unit: "session-7.scope", session: "7", user: "ada" };
  make({ pid: 3050, name: "vim", args: ["vim", "notes on the week.txt", "it's"], under: bash, began: 3 * MINUTE, ...shell });
  make({ pid: 3060, name: "agent", args: ["agent", "--token", "[redacted]"], under: bash, parent: init, began: 2.6 * MINUTE, ...shell });
  const makes = make({ pid: 3100, name: "make", args: ["make", "-j8", "all"], under: bash, began: 150 * SECOND, ended: 60 * SECOND, status: 2, ...shell });
  for (let k = 0; k < 60; k++) {
    const at = 148 * SECOND - k * 1400;
    const sh = make({ pid: 3200 + 4 * k, name: "sh", args: ["sh", "-c", `cc -O2 -c src/part${k}.c`], under: makes, began: at, ended: at - 1300, status: k === 41 ? 1 : 0, ...shell });
    if (k % 10 === 1) make({ pid: 3201 + 4 * k, name: "cc1", args: ["/usr/lib/gcc/cc1", "-O2", `src/part${k}.c`], under: sh, began: at - 90, ended: at - 1250, status: k === 41 ? 1 : 0, ...shell });
  }
  make({ pid: 3900, name: "sleep", args: ["sleep", "600"], under: bash, began: 70 * SECOND, ended: 12 * SECOND, signal: "SIGKILL", ...shell });
  make({ pid: 3950, name: "defunct", args: ["./spawn"], under: bash, began: 30 * SECOND, ended: 20 * SECOND, status: 0, zombie: true, ...shell });
  return all;
}

// hosts are n of a fleet, of which the last has no name.
export function hosts(n: number): Host[] {
  return Array.from({ length: n }, (_, k) => {
    const id = (k + 1).toString(16).padStart(4, "0").padEnd(32, "c0ffee");
    return { id, name: k === n - 1 ? null : `web-${k + 1}`, boot_id: `boot-${k + 1}`, last: new Date(Date.now() - 2 * SECOND).toISOString(), behind_seconds: 2, own: false };
  });
}

// fleet is what is the same on each host but for its users: the same PIDs as well,
// which started at the same time.
export function fleet(of: Host[]): Made[] {
  return of.flatMap((h, k) => {
    const mine = (p: Made): Made => ({ ...p, host: h.id });
    const init = mine({ pid: 1, name: "systemd", args: ["/sbin/init"], began: 30 * HOUR, scanned: true });
    const nginx = mine({ pid: 700, name: "nginx", args: ["nginx: master process"], under: init, began: 29 * HOUR, scanned: true });
    const worker = mine({ pid: 710, name: "nginx", args: ["nginx: worker process"], under: nginx, began: 4 * MINUTE });
    const sh = mine({ pid: 720, name: "sh", args: ["sh", "-c", `id; uname -n # ${k}`], under: worker, began: 100 * SECOND, ended: 99 * SECOND, status: k % 3 === 0 ? 1 : 0 });
    const leaves = ["sleep", "sleep"].map((name, i) => mine({ pid: 730 + i, name, args: ["sleep", "600"], under: init, began: 80 * SECOND - i }));
    return [init, nginx, worker, sh, ...leaves];
  });
}

// hostile is processes that would rather be something else.
export function hostile(): Made[] {
  const init: Made = { pid: 1, name: "systemd", began: 3600e3 };
  const names = ["<script>x()</script>", "<img src=x onerr", "\u202egpj.exe", "a\nb\x1b[2J", "'\"`${1}{{7*7}}", "javascript:x()"];
  return [init, ...names.map((name, k): Made => ({
    pid: 100 + k, name, under: init, began: 100e3 - k * 1e3, unit: `<b>unit${k}</b>`,
    args: ["<script>document.title='owned'</script>", "\"><img src=x onerror=\"document.title='owned'\">", "a'b", "line\nbreak\x1b[31m", "\u202eabc", "$(reboot)", "`reboot`", ""],
    container: { runtime: null, id: "<i>id</i>", name: "<svg onload=alert(1)>", image: "<script>", state: null, pod: null, role: "container" },
  }))];
}

// many is n processes below a few services: 100 sessions with scripts in them.
export function many(n: number): Made[] {
  const all: Made[] = [{ pid: 1, name: "systemd", began: 3600e3 }];
  const programs = ["cc1", "as", "ld", "python3", "git", "awk", "node", "java"];
  let shell = all[0], script = all[0];
  for (let i = 1; i < n; i++) {
    const began = 290e3 - (i / n) * 280e3, pid = 2 + i;
    if (i % 1000 === 1) all.push((shell = { pid, name: "bash", args: ["-bash"], under: all[0], began }));
    else if (i % 25 === 2) all.push((script = { pid, name: `job${i % 977}`, args: ["./job", String(i)], under: shell, began, ended: Math.max(0, began - 9e3), status: i % 3 ? 0 : 1 }));
    else all.push({ pid, name: `${programs[i % 8]}${i % 13}`, args: [programs[i % 8], "--input", `file${i}`], under: i % 25 === 1 ? shell : script, began, ended: Math.max(0, began - 20 - (i % 4000)), status: i % 97 ? 0 : 1 });
  }
  return all;
}

export const link = (p: Made, gap = false): Link => ({ pid: p.pid, id: id(p), name: p.name, state: p.zombie ? "zombie" : p.ended === undefined ? "alive" : "ended", ...(gap ? { gap } : {}) });
