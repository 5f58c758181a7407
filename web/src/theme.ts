// Dark or light: as the system has it, or as was chosen, which the browser keeps.

const STORED = "lineage-colours";
type Theme = "as the system has them" | "light" | "dark";
const order: Theme[] = ["as the system has them", "light", "dark"];

function stored(): Theme {
  try {
    const kept = localStorage.getItem(STORED);
    return order.find((t) => t === kept) ?? order[0];
  } catch {
    return order[0]; // the browser keeps nothing
  }
}

let theme = stored();

export function applyTheme() {
  if (theme === order[0]) delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

// turnTheme goes from what is seen to the other one, and from that to the system's.
export function turnTheme(): Theme {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const turns: Theme[] = dark ? [order[0], "light", "dark"] : [order[0], "dark", "light"];
  theme = turns[(turns.indexOf(theme) + 1) % turns.length];
  try {
    localStorage.setItem(STORED, theme);
  } catch {
    // It holds until the page is left.
  }
  applyTheme();
  return theme;
}
