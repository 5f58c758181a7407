// Said shows a sentence for a while, and gives it to screen readers.
export class Said {
  #timer = 0;

  constructor(private readonly element: HTMLElement) {}

  say(sentence: string) {
    this.element.textContent = sentence;
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => { this.element.textContent = ""; }, 3000);
  }

  // copy puts text on the clipboard, also where the page may not write to it by
  // itself, as on a page that did not come over TLS.
  async copy(text: string) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      if (!done) return this.say("The browser does not let the page copy.");
    }
    this.say("Copied.");
  }
}
