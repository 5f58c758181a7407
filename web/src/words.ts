// Where in a process the words of a search are. What matches the daemon says; this
// tells only what to mark of it.

export type Words = ((text: string) => boolean)[];

// words are the words and patterns of a search, without its terms about other things.
export function words(q: string): Words {
  const all: Words = [];
  for (const word of q.match(/(?:[^\s"]|"[^"]*")+/g) ?? []) {
    const [, field, op, rest] = /^(?:([a-z]+)(!=|[<>]=?|[:=]))?(.*)$/s.exec(word)!, text = rest.replaceAll("\"", "");
    if (text === "" || op === "!=" || field !== undefined && field !== "text" && field !== "match") continue;
    if (field === "match") {
      try {
        const pattern = new RegExp(text);
        all.push((t) => pattern.test(t));
      } catch {
        // The daemon knows patterns that the browser does not.
      }
      continue;
    }
    const wanted = text.toLowerCase();
    all.push((t) => t.toLowerCase().includes(wanted));
  }
  return all;
}

// marked tells what of a hit to mark: its name, unless the words are in its command
// line alone.
export function marked(words: Words, name: string, command: string): { name: boolean; command: boolean } {
  const inCommand = words.some((has) => has(command) && !has(name));
  return { name: !inCommand || words.some((has) => has(name)), command: inCommand };
}
