// The view of the chat: a conversation that is kept in memory, and goes nowhere but to the model.

import { announce, copyButton, download, h, say } from "./dom.js";
import { Turn } from "./turn.js";
import { visible } from "./plain.js";

const LONGEST = 4 * 2 ** 20; // bytes of a message that the server takes

export class Chat {
  constructor(root, connection) {
    this.connection = connection;
    this.turns = [];
    this.number = 0;
    this.model = h("select", { id: "model" });
    this.system = h("textarea", { id: "system", rows: "3", dir: "auto", placeholder: "Instructions for every answer" });
    this.log = h("div", { class: "log", role: "log", "aria-live": "off", "aria-label": "Conversation" });
    this.input = h("textarea", { id: "prompt", rows: "1", dir: "auto", placeholder: "Ask something", "aria-describedby": "prompt-hint" });
    this.send = h("button", { type: "submit", class: "primary" }, "Send");
    this.stop = h("button", { type: "button", class: "primary stop", hidden: true, onclick: () => this.halt() }, "Stop");
    this.empty = h("div", { class: "empty" }, h("p", { class: "big" }, "Try a prompt"),
      h("p", {}, "The same routes, limits and keys as your jobs; nothing of it is stored."));
    this.form = h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); this.submit(); } },
      h("label", { for: "prompt", class: "unseen" }, "Message"), this.input, this.send, this.stop,
      h("p", { class: "hint", id: "prompt-hint" }, "Enter sends, Shift+Enter is a new line, Esc stops the answer"));
    const button = (text, act) => h("button", { type: "button", class: "quiet small", onclick: act }, text);
    this.tools = h("span", { class: "tools" }, copyButton("Copy all", () => this.text()), button("Export", () => this.export()), button("New chat", () => this.clear()));
    root.append(
      h("div", { class: "picked" }, h("h1", { id: "chat-title", tabindex: "-1" }, "Chat"),
        h("label", { for: "model", class: "unseen" }, "Model"), this.model, this.tools),
      h("details", { class: "system" }, h("summary", {}, "System text"), h("label", { for: "system", class: "unseen" }, "System text"), this.system),
      this.empty, this.log, this.form);
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.submit();
      }
    });
    this.input.addEventListener("input", () => this.fit());
    this.log.addEventListener("scroll", () => { this.follows = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60; });
    this.follows = true;
    connection.on("hello", ({ chat }) => this.models(chat));
    connection.on("chunk", (message) => this.asked(message)?.chunk(message.text));
    connection.on("done", (message) => this.asked(message)?.done(message));
    connection.on("error", (message) => this.failed(message));
    connection.addEventListener("state", ({ detail }) => {
      if (detail.state !== "live") this.current?.failed("The connection to the server is gone.");
      this.buttons();
    });
    this.buttons();
  }

  title() {
    return "Chat";
  }

  open() {
    if (matchMedia("(pointer: fine)").matches) this.input.focus({ preventScroll: true });
  }

  close() {}

  /** The answer that is being written. */
  get current() {
    const last = this.turns.at(-1);
    return last?.open ? last : null;
  }

  asked = (message) => (message.chat !== undefined && this.current?.id === message.chat ? this.current : null);

  models(chat) {
    const names = chat?.models ?? [];
    const chosen = this.model.value || chat?.default || "";
    this.model.replaceChildren(...names.map((name) => h("option", { value: name }, visible(name))));
    if (names.includes(chosen)) this.model.value = chosen;
    else if (names.includes(chat?.default)) this.model.value = chat.default;
    this.unready = names.length ? "" : chat?.why ?? "No model is configured: see llmbatch serve --help.";
    this.buttons();
  }

  buttons() {
    const busy = this.current !== null;
    this.send.hidden = busy;
    this.stop.hidden = !busy;
    this.send.disabled = !this.connection.live || Boolean(this.unready);
    this.empty.hidden = this.turns.length > 0;
    this.tools.hidden = this.turns.length === 0;
    if (this.unready !== undefined) say(this.empty.lastChild, this.unready || "The same routes, limits and keys as your jobs; nothing of it is stored.");
  }

  submit() {
    const text = this.input.value;
    if (!text.trim() || this.current || this.send.disabled) return;
    this.input.value = "";
    this.fit();
    this.ask(text);
  }

  ask(text) {
    this.number += 1;
    const turn = new Turn(`c${this.number}`, text, this.model.value, {
      ended: (said) => this.ended(said),
      drawn: () => this.scroll(),
      again: () => this.again(turn),
    });
    const messages = [...this.messages(), { role: "user", content: text }];
    this.turns.push(turn);
    this.log.append(turn.element);
    this.follows = true;
    const system = this.system.value.trim() ? this.system.value : null;
    const message = { type: "chat", chat: turn.id, model: turn.model, messages, system };
    if (new Blob([JSON.stringify(message)]).size > LONGEST) turn.failed("All that was said is more than 4 MB: begin a new chat.");
    else if (!this.connection.send(message)) turn.failed("The server is not there.");
    this.buttons();
    this.scroll();
  }

  /** What was said so far; a question that got no answer is left out. */
  messages() {
    return this.turns.filter((turn) => turn.answer).flatMap((turn) => [
      { role: "user", content: turn.question }, { role: "assistant", content: turn.answer },
    ]);
  }

  /** Ask a question once more; what came after it goes. */
  again(turn) {
    if (this.current) return;
    for (const gone of this.turns.splice(this.turns.indexOf(turn))) gone.remove();
    this.ask(turn.question);
    this.input.focus();
  }

  halt() {
    if (this.current) this.connection.send({ type: "stop", chat: this.current.id });
  }

  failed({ chat, message }) {
    if (chat === undefined) announce(message);
    else if (this.current?.id === chat) this.current.failed(message);
  }

  ended(said) {
    announce(said);
    this.buttons();
  }

  clear() {
    this.halt();
    for (const turn of this.turns.splice(0)) turn.remove();
    this.buttons();
    this.input.focus();
  }

  scroll() {
    if (this.follows) this.log.scrollTop = this.log.scrollHeight;
  }

  /** The box is as high as its text, up to a third of the window. */
  fit() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight + 2, innerHeight / 3)}px`;
  }

  text() {
    return this.turns.map((turn) => `> ${turn.question.replaceAll("\n", "\n> ")}\n\n${turn.answer}`).join("\n\n");
  }

  export() {
    const system = this.system.value.trim() ? [{ role: "system", content: this.system.value }] : [];
    const messages = [...system, ...this.turns.flatMap((turn) => [
      { role: "user", content: turn.question },
      { role: "assistant", content: turn.answer, model: turn.model, result: turn.result },
    ])];
    download(`chat-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.json`, "application/json", JSON.stringify({ messages }, null, 2));
  }

  key(event) {
    if (event.key !== "Escape" || !this.current) return false;
    this.halt();
    return true;
  }

  search() {
    this.input.focus();
  }
}
