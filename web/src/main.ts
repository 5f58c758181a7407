import { html, render } from "lit";
import { isLive } from "./address";
import { listen } from "./input";
import { Page } from "./page";
import { applyTheme } from "./theme";

applyTheme();

render(html`
  <div id="tools"></div>
  <canvas id="map" role="img"></canvas>
  <div id="notices"></div>
  <nav id="path" aria-label="Focus" hidden></nav>
  <main>
    <section id="list" aria-label="Processes">
      <div id="axis">
        <div class="head">Process</div>
        <div id="splitter" role="separator" aria-orientation="vertical" aria-label="Width of the tree" aria-valuenow="46" tabindex="0"></div>
        <div class="host">Host</div>
        <div class="time">Lived</div>
        <div id="ticks"></div>
      </div>
      <div class="behind"><div id="behind"></div></div>
      <div id="scroll" tabindex="0" role="treegrid" aria-label="Processes" aria-readonly="true" aria-colcount="3"><div class="rows" role="rowgroup"></div></div>
      <div id="nothing"></div>
    </section>
    <aside id="panel" aria-label="Details" hidden></aside>
  </main>
  <dialog id="help" aria-label="Help"></dialog>
  <div id="said" role="status" aria-live="polite"></div>`, document.body);

const parts = Object.fromEntries([...document.querySelectorAll<HTMLElement>("[id]")].map((e) => [e.id, e]));
const page = new Page(parts);
listen(page, parts);
parts["scroll"].focus({ preventScroll: true });

// Time goes on: bars grow, and what ended goes out of the window.
setInterval(() => {
  if (isLive(page.place) && !document.hidden && !page.feed.isLost) page.draw();
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) page.feed.rest();
  else page.feed.show(page.place);
});
