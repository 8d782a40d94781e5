// Puts the page together: the views, which of them is shown, the connection, keys and the theme.

import { Chat } from "./chat.js";
import { Connection } from "./connection.js";
import { announce, byId, h, say } from "./dom.js";
import { Jobs } from "./jobs.js";
import { visible } from "./plain.js";
import { Results } from "./results.js";
import { startShortcuts } from "./shortcuts.js";

const connection = new Connection();
const views = {
  jobs: new Jobs(byId("jobs"), connection),
  results: new Results(byId("results"), connection),
  chat: new Chat(byId("chat"), connection),
};
let current = null;

/** `#/jobs/ID` or `#/results?file=...`: the view's name, what follows, and the parameters. */
function parsed(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...rest] = path.split("/").filter(Boolean).map(decoded);
  return { name: Object.hasOwn(views, name ?? "") ? name : "jobs", path: rest, parameters: new URLSearchParams(query) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route() {
  const to = parsed(location.hash);
  const other = to.name !== current;
  if (other && current) views[current].close();
  for (const name of Object.keys(views)) {
    byId(name).hidden = name !== to.name;
    byId(`to-${name}`).toggleAttribute("aria-current", name === to.name);
    if (name === to.name) byId(`to-${name}`).setAttribute("aria-current", "page");
  }
  if (other && current) byId(`${to.name}-title`).focus({ preventScroll: true });
  current = to.name;
  document.body.dataset.view = to.name;
  views[to.name].open(to);
  retitle();
}

function retitle() {
  document.title = `${views[current].title()} – llmbatch`;
}

const STATES = { connecting: "Connecting", live: "Live", lost: "Reconnecting", refused: "Not allowed" };
let before = "connecting";
let ticking = 0;

connection.addEventListener("state", ({ detail: { state, retryMs } }) => {
  byId("connection").dataset.state = state;
  say(byId("connection-text"), STATES[state]);
  byId("banner").hidden = state === "live" || state === "connecting";
  clearInterval(ticking);
  if (state === "refused") say(byId("banner-text"), "This address is not valid any more: open the one that llmbatch serve has printed.");
  if (state === "lost") {
    const due = Date.now() + retryMs;
    const tick = () => say(byId("banner-text"), `The server is not there. Trying again in ${Math.max(1, Math.round((due - Date.now()) / 1000))} s; is llmbatch serve running?`);
    tick();
    ticking = setInterval(tick, 1000);
  }
  if (state !== before && state !== "connecting") announce({ live: before === "connecting" ? "" : "Connected again", lost: "The connection is lost", refused: "The server refuses this address" }[state]);
  before = state;
});
connection.on("hello", ({ folder, version }) => {
  byId("folder").replaceChildren(h("bdi", { dir: "ltr" }, visible(folder)));
  byId("folder").title = `llmbatch ${version}: ${folder}`;
});
connection.on("jobs", retitle);
byId("again").addEventListener("click", () => connection.now());
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});

startShortcuts(() => views[current]);
addEventListener("hashchange", route);
route();
connection.open();
