// Keys, the list of them, and the theme.

import { byId } from "./dom.js";

const THEMES = { system: "as the system", light: "light", dark: "dark" };
const VIEWS = { 1: "#/jobs", 2: "#/results", 3: "#/chat" };

/** `view()` is the one that is shown. */
export function startShortcuts(view) {
  const single = byId("single-keys");
  single.checked = kept("single-keys") !== "off";
  single.addEventListener("change", () => keep("single-keys", single.checked ? "on" : "off"));
  const list = byId("shortcuts");
  byId("help").addEventListener("click", () => list.showModal());
  byId("shortcuts-close").addEventListener("click", () => list.close());
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || list.open) return;
    const arrows = event.key === "ArrowDown" || event.key === "ArrowUp";
    if (event.key !== "Escape" && (writes(event.target) || (arrows && !onRows(event.target)))) return;
    if (event.key.length === 1 && !single.checked) return;
    if (pressed(event, view(), list)) event.preventDefault();
  });
  theme();
}

const writes = (target) => target.closest?.("input, textarea, select, [contenteditable]");
/** Where nothing else scrolls by the arrows. */
const onRows = (target) => target === document.body || target.closest?.(".rows, .row header");

function pressed(event, view, list) {
  if (event.key in VIEWS) location.hash = VIEWS[event.key];
  else if (event.key === "?") list.showModal();
  else if (event.key === "/" && view.search) view.search();
  else return view.key?.(event) ?? false;
  return true;
}

function theme() {
  const button = byId("theme");
  const root = document.documentElement;
  const name = () => root.dataset.theme ?? "system";
  const told = () => {
    button.setAttribute("aria-label", `Theme: ${THEMES[name()]}`);
    button.title = `Theme: ${THEMES[name()]}`;
  };
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(name()) + 1) % names.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    keep("theme", next);
    told();
  });
  told();
}

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch { /* a browser that keeps nothing */ }
}
