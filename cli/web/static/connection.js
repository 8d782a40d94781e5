// The WebSocket to the server: it comes back by itself, and says how it is.
//
// A "state" event's detail is {state, retryIn}: connecting, live, lost or refused. Every other
// event is a message of the protocol, by its type.

const FIRST_MS = 400;
const LONGEST_MS = 15_000;

export class Connection extends EventTarget {
  constructor() {
    super();
    this.socket = null;
    this.tries = 0;
    this.timer = 0;
    this.state = "connecting";
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.now();
    });
  }

  get live() {
    return this.state === "live";
  }

  open() {
    const url = new URL("ws", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = () => {
      this.tries = 0;
      this.become("live");
    };
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      this.dispatchEvent(new CustomEvent(`message:${message.type}`, { detail: message }));
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  /** Call `listener` with each message of this type. */
  on(type, listener) {
    this.addEventListener(`message:${type}`, (event) => listener(event.detail));
  }

  /** True if the message went out. */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Try again, without waiting any longer. */
  now() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = 0;
    this.open();
  }

  async lost() {
    this.socket = null;
    const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.tries) * (0.75 + Math.random() / 2);
    this.tries += 1;
    this.timer = setTimeout(() => this.now(), wait);
    this.become((await refused()) ? "refused" : "lost", wait);
  }

  become(state, retryMs = 0) {
    if (state !== "live" && this.socket?.readyState === WebSocket.OPEN) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, retryMs } }));
  }
}

/** A WebSocket that is refused does not say why; a request does. */
async function refused() {
  try {
    const response = await fetch(new URL("api/files", document.baseURI), { cache: "no-store" });
    return response.status === 401 || response.status === 403;
  } catch {
    return false;
  }
}

/** The JSON of an address of the server. Throws an Error in words. */
export async function load(path, parameters, signal) {
  const url = new URL(path, document.baseURI);
  url.hash = "";
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  let response;
  try {
    response = await fetch(url, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer.");
  }
  let value = null;
  try {
    value = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  if (response.ok && value !== null) return value;
  throw new Error(value?.message ?? value?.error ?? `The server answered with HTTP ${response.status}.`);
}
