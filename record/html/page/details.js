// What is known of the selected process, beside the list.

class Details {
  constructor(element, rec, go, said) {
    Object.assign(this, { element, rec, go, said });
    this.shown = -1;
  }

  hide() {
    this.element.hidden = true;
    this.shown = -1;
  }

  show(i) {
    const { rec, element } = this;
    element.hidden = false;
    if (this.shown === i) return;
    this.shown = i;
    const flags = rec.flags[i], usage = rec.usage(i), head = node("h2", short(rec.name(i), 100));
    head.append(node("small", `PID ${rec.pid(i)}`));
    const close = button("×", () => this.go("Escape"));
    close.className = "close";
    close.ariaLabel = "Close";
    const parts = [close, head];
    const end = node("p", rec.ending(i));
    end.className = flags & FAILED ? "ending bad" : "ending";
    parts.push(end);
    if (flags & GAP) parts.push(node("p", "Who created it is not known."));
    if (flags & INFERRED) parts.push(node("p", "Who created it is inferred: it was not observed."));
    const execs = rec.execs(i);
    if (execs.length === 0) parts.push(node("p", "It ran what its creator did: no exec was seen."));
    for (const exec of execs.slice(-20)) parts.push(...this.#exec(exec, i));
    if (execs.length > 20) parts.push(node("p", `and ${plural(execs.length - 20, "program", "programs")} before these`));
    const list = document.createElement("dl");
    const add = (term, value) => {
      if (value === "" || value === null) return;
      const dd = document.createElement("dd");
      dd.append(value);
      list.append(node("dt", term), dd);
    };
    const time = rec.end[i] - rec.begin[i];
    add("Began", `at ${duration(rec.begin[i])}` + (flags & TO_TICK ? ", to 10 ms" : flags & UNKNOWN ? ", or not known when" : ""));
    add("Lasted", duration(time) + (flags & OPEN ? " or longer" : ""));
    const waited = rec.critical(i).reduce((sum, at, k) => sum + (k % 2 === 0 ? -at : at), 0);
    if (waited > 0) add("Critical path", `${duration(waited)} of it`);
    if (usage) {
      const [user, system, rss, read, written] = usage;
      add("CPU", `${duration(user + system)} (user ${duration(user)}, system ${duration(system)})`);
      add("Memory", rss > 0 ? `${bytes(rss)} at most` : "");
      add("Storage", `${bytes(read)} read, ${bytes(written)} written`);
    } else {
      add("Usage", "not known");
    }
    if (rec.below[i] > 0) {
      add("Below it", `${plural(rec.below[i], "process", "processes")}, ${number(rec.failedBelow[i])} failed`);
      add("CPU with them", duration(rec.cpuWith[i]));
    }
    add("Container", short(rec.container(i), 200));
    add("User", rec.uid(i) >= 0 ? `UID ${rec.uid(i)}` : "not known");
    const creator = rec.creator[i];
    if (creator >= 0) add("Creator", button(`${short(rec.name(creator), 50)} ${rec.pid(creator)}`, () => this.go("select", creator)));
    parts.push(list);
    element.replaceChildren(...parts);
    element.scrollTop = 0;
  }

  #exec([at, program, file, command], i) {
    const head = node("h3", short(program, 100));
    head.append(node("small", `exec after ${duration(at - this.rec.begin[i])}`));
    const code = node("pre", short(command || file, 10000));
    code.tabIndex = 0;
    const copied = button("Copy", () => this.copy(command || file));
    copied.className = "copy";
    head.append(copied);
    return [head, code];
  }

  // copy puts text on the clipboard, also where the page may not write to it by
  // itself.
  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    this.said("Copied.");
  }
}

function node(tag, text) {
  const e = document.createElement(tag);
  e.textContent = text;
  return e;
}

function button(text, click) {
  const e = node("button", text);
  e.type = "button";
  e.addEventListener("click", click);
  return e;
}
