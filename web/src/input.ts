// Keys and the mouse.

import type { Page } from "./page";

const ZOOM = 0.7, PAN = 0.2;

// press does what a key stands for, and tells whether it stands for anything.
function press(page: Page, key: string): boolean {
  const { list, shape, place, at } = page;
  switch (key) {
    case "ArrowDown": case "j": page.move(1); break;
    case "ArrowUp": case "k": page.move(-1); break;
    case "PageDown": page.move(list.page); break;
    case "PageUp": page.move(-list.page); break;
    case "Home": case "g": page.move(-shape.count); break;
    case "End": case "G": page.move(shape.count); break;
    case "ArrowRight": case "l":
      if (at < 0 || shape.branch(at) === "") break;
      if (page.isOpen(at)) page.move(1);
      else page.toggle(at, true);
      break;
    case "ArrowLeft": case "h":
      if (at < 0) break;
      if (shape.branch(at) !== "" && page.isOpen(at)) page.toggle(at, false);
      else page.up(at);
      break;
    case "e": case " ": page.toggle(at); break;
    case "E": page.all(true); break;
    case "C": page.all(false); break;
    case "Enter":
      if (page.selected >= 0 && shape.place[page.selected] === at) page.go({ focus: place.select });
      else page.toggle(at);
      break;
    case "Backspace": page.focusUp(); break;
    case "/": search().focus(); search().select(); break;
    case "H": document.getElementById("host")?.focus(); break;
    case "n": page.step(1); break;
    case "N": page.step(-1); break;
    case "f": page.failure(1); break;
    case "F": page.failure(-1); break;
    case "w": page.zoom(ZOOM); break;
    case "s": page.zoom(1 / ZOOM); break;
    case "a": page.pan(-PAN); break;
    case "d": page.pan(PAN); break;
    case "z": if (place.select) void page.fit(place.select); break;
    case "0": page.follow(); break;
    case "i": if (place.select) page.go({ panel: !place.panel }, false); break;
    case "c": void page.copyCommand(); break;
    case "t": page.theme(); break;
    case "?": page.help(); break;
    case "Escape":
      if (place.panel && place.select) page.go({ panel: false }, false);
      else if (place.q !== "" || place.only !== "all") page.clear();
      break;
    default: return false;
  }
  return true;
}

const search = () => document.querySelector<HTMLInputElement>("#search")!;

export function listen(page: Page, parts: Record<string, HTMLElement>) {
  page.onPress = (key) => press(page, key);
  document.addEventListener("keydown", (e) => {
    const target = e.target as HTMLElement;
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) {
      if (e.key === "?") page.help();
      return;
    }
    if (target.id === "search" && e.key === "Escape") {
      page.clear();
      parts["scroll"].focus();
      e.preventDefault();
      return;
    }
    if (target.matches("input, select, textarea")) return;
    if (target.matches("button, summary, a, pre") && ["Enter", " "].includes(e.key)) return;
    if (target.closest("#panel, details") && /^(Arrow|Page|Home|End| )/.test(e.key)) return; // they scroll it
    if (press(page, e.key)) e.preventDefault();
  });
  // A menu closes when anything else is done.
  document.addEventListener("pointerdown", (e) => {
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) if (!menu.contains(e.target as Node)) menu.open = false;
  });
  rows(page, parts);
  lanes(page, parts);
  splitter(parts);
  for (const part of ["scroll", "map"]) new ResizeObserver(() => page.draw()).observe(parts[part]);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.draw());
}

function rows(page: Page, parts: Record<string, HTMLElement>) {
  // The rows may move under the pointer while it is pressed: what was pressed counts.
  let pressed = "";
  parts["scroll"].addEventListener("pointerdown", (e) => {
    const row = page.list.at(e.target);
    pressed = row < 0 ? "" : page.shape.key(row);
  });
  parts["scroll"].addEventListener("click", (e) => {
    const row = pressed === "" ? page.list.at(e.target) : page.shape.rowOf(pressed), target = e.target as HTMLElement;
    if (row < 0 || dragged || String(getSelection()) !== "") return;
    if (target.closest(".twisty")) page.toggle(row);
    else page.take(row, true);
  });
  parts["scroll"].addEventListener("dblclick", (e) => {
    const row = page.list.at(e.target), target = e.target as HTMLElement;
    if (row < 0 || target.closest(".twisty")) return;
    if (target.closest(".lane") && page.place.select) void page.fit(page.place.select);
    else page.toggle(row);
  });
}

let dragged = false;

// lanes lets the wheel and the mouse move the time.
function lanes(page: Page, parts: Record<string, HTMLElement>) {
  const ticks = parts["ticks"];
  const wheel = (e: WheelEvent) => {
    const box = ticks.getBoundingClientRect();
    if (e.ctrlKey || e.metaKey) {
      e.preventDefault();
      page.zoom(Math.exp(Math.max(-1, Math.min(1, e.deltaY / 300))), Math.min(1, Math.max(0, (e.clientX - box.left) / box.width)));
    } else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
      e.preventDefault();
      page.pan((e.deltaX || e.deltaY) / box.width);
    }
  };
  for (const part of ["scroll", "ticks"]) {
    const element = parts[part];
    element.addEventListener("wheel", wheel, { passive: false });
    let from: number | null = null;
    element.addEventListener("pointerdown", (e) => {
      dragged = false;
      if (e.button === 0 && e.pointerType === "mouse" && (part === "ticks" || (e.target as HTMLElement).closest(".lane"))) from = e.clientX;
    });
    addEventListener("pointermove", (e) => {
      if (from === null || Math.abs(e.clientX - from) < 4 && !dragged) return;
      dragged = true;
      page.pan((from - e.clientX) / ticks.clientWidth);
      from = e.clientX;
    });
    addEventListener("pointerup", () => { from = null; });
  }
}

// splitter sets how wide the tree is.
function splitter(parts: Record<string, HTMLElement>) {
  const bar = parts["splitter"], list = parts["list"];
  const set = (width: number) => {
    const most = list.clientWidth - 160;
    list.style.setProperty("--tree", `${Math.min(most, Math.max(140, width))}px`);
    bar.setAttribute("aria-valuenow", String(Math.round((100 * width) / list.clientWidth)));
  };
  bar.addEventListener("pointerdown", (e) => {
    bar.setPointerCapture(e.pointerId);
    e.preventDefault();
  });
  bar.addEventListener("pointermove", (e) => {
    if (bar.hasPointerCapture(e.pointerId)) set(e.clientX - list.getBoundingClientRect().left);
  });
  bar.addEventListener("keydown", (e) => {
    const by = { ArrowLeft: -20, ArrowRight: 20 }[e.key];
    if (by === undefined) return;
    e.preventDefault();
    set(bar.getBoundingClientRect().left - list.getBoundingClientRect().left + by);
  });
}
