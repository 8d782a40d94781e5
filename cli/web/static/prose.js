// A model's answer as it streams: a safe part of Markdown, made of nodes, a frame at a time.
//
// A line is rendered once, when it is complete; the one that is still coming is rendered in every
// frame and taken back. What is very long stays plain text, in blocks that the browser lays out
// only when they are seen, so that a megabyte of anything costs a few milliseconds a frame.

import { h } from "./dom.js";
import { inline } from "./inline.js";
import { visible } from "./plain.js";

const LONG = 4000;
const BLOCK = 8000;
const NODES = 20_000;
const FRAME_MS = 8;

const FENCE = /^ {0,3}(`{3,9}|~{3,9})[^`]{0,40}$/;
const HEADING = /^ {0,3}(#{1,6}) +(.*)$/;
const ITEM = /^( {0,16})(?:[-*+]|(\d{1,9})[.)]) +(.*)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const RULE = /^ {0,3}(?:-{3,}|\*{3,}|_{3,}) *$/;
const TABLE = /^ *\|.*\| *$/;
const TABLE_RULE = /^[ |:-]+$/;

const heading = (level, text) => h(
  "p", { class: "heading", role: "heading", "aria-level": Math.min(6, level + 3), dir: "auto" }, inline(text),
);

export class Prose {
  constructor(root, onDrawn = () => {}) {
    this.root = root;
    this.onDrawn = onDrawn;
    this.clear();
  }

  clear() {
    cancelAnimationFrame(this.frame);
    this.root.replaceChildren();
    this.text = "";
    this.frame = 0;
    this.nodes = 0;
    this.closing = null;
    this.state = { fence: "", open: null, size: 0, kind: "", lists: [], rows: null, run: null };
    this.provisional = null;
  }

  /** More of the text came. */
  push(text) {
    this.text += text;
    this.schedule();
  }

  /** That was all; resolves when it is drawn. */
  end() {
    this.text += "\n";
    return new Promise((resolve) => {
      this.closing = resolve;
      this.schedule();
    });
  }

  schedule() {
    // a hidden tab gets no frames; the text of an answer that nobody sees can wait
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    this.takeBack();
    const until = performance.now() + FRAME_MS;
    let at = 0;
    while (at < this.text.length) {
      const end = this.text.indexOf("\n", at);
      if (end < 0) break;
      this.line(this.text.slice(at, end));
      at = end + 1;
      if (performance.now() > until) break;
    }
    this.text = this.text.slice(at);
    if (this.text.includes("\n")) this.schedule();
    else this.tail();
    this.onDrawn();
  }

  /** The line that is not complete yet. */
  tail() {
    if (this.text.length > LONG || (this.text && this.state.run)) {
      this.bare(this.text);
      this.text = "";
    } else if (this.text) {
      this.provisional = { nodes: [], count: this.nodes, state: { ...this.state } };
      this.line(this.text);
    }
    if (this.closing && !this.text) {
      this.closing();
      this.closing = null;
    }
  }

  takeBack() {
    if (!this.provisional) return;
    for (const node of this.provisional.nodes) node.remove();
    this.nodes = this.provisional.count;
    this.state = this.provisional.state;
    this.provisional = null;
  }

  add(parent, ...nodes) {
    nodes = nodes.map((node) => (typeof node === "string" ? document.createTextNode(node) : node));
    parent.append(...nodes);
    for (const node of nodes) this.nodes += 1 + (node.getElementsByTagName?.("*").length ?? 0);
    if (this.provisional) this.provisional.nodes.push(...nodes);
    return nodes[0];
  }

  line(raw) {
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    const { state } = this;
    if (this.nodes > NODES) this.bare(`${line}\n`);
    else if (state.run || line.length > LONG) {
      this.bare(line);
      state.run = null;
    } else if (state.fence) this.coded(line);
    else this.marked(line);
  }

  marked(line) {
    const { state } = this;
    let found;
    if (!line.trim()) this.close();
    else if ((found = FENCE.exec(line))) {
      this.close();
      state.fence = found[1];
      state.open = this.add(this.root, h("pre", { tabindex: "0", "aria-label": "Code" }));
    } else if ((found = HEADING.exec(line))) {
      this.close();
      this.add(this.root, heading(found[1].length, found[2]));
    } else if (RULE.test(line)) {
      this.close();
      this.add(this.root, h("hr"));
    } else if ((found = ITEM.exec(line))) this.item(found);
    else if ((found = QUOTE.exec(line))) this.paragraph(found[1], "blockquote");
    else if (TABLE.test(line)) this.row(line);
    else if (state.lists.length && /^\s/.test(line)) this.add(state.lists.at(-1).item, "\n", ...inline(line.trim()));
    else this.paragraph(line, "p");
  }

  /** The block that is open has its end. */
  close() {
    Object.assign(this.state, { open: null, size: 0, kind: "", lists: [], rows: null, fence: "" });
  }

  paragraph(line, kind) {
    const { state } = this;
    if (state.kind !== kind || !state.open || state.size > BLOCK) {
      const more = state.kind === kind && state.open;
      this.close();
      state.kind = kind;
      state.open = this.add(this.root, h(kind, { dir: "auto", class: more ? "more" : null }));
    } else this.write(state.open, "\n");
    state.size += line.length + 1;
    const nodes = inline(line);
    if (nodes.length === 1 && nodes[0].nodeType === Node.TEXT_NODE) this.write(state.open, nodes[0].data);
    else this.add(state.open, ...nodes);
  }

  /** Plain text at the end of a block: no node of its own where there is one already. */
  write(element, text) {
    const last = element.lastChild;
    if (!this.provisional && last?.nodeType === Node.TEXT_NODE) last.appendData(text);
    else this.add(element, document.createTextNode(text));
  }

  coded(line) {
    const { state } = this;
    const fence = FENCE.exec(line);
    if (fence && fence[1].startsWith(state.fence) && line.trim() === fence[1]) return this.close();
    let code = state.open.lastChild;
    if (!code || state.size > BLOCK) {
      code = this.add(state.open, h("code"));
      state.size = 0;
      this.write(code, visible(line));
    } else this.write(code, `\n${visible(line)}`);
    state.size += line.length + 1;
    return undefined;
  }

  item([, indent, number, text]) {
    const { state } = this;
    if (!state.lists.length) this.close();
    while (state.lists.length > 1 && state.lists.at(-1).indent > indent.length) state.lists.pop();
    const deeper = state.lists.length && indent.length > state.lists.at(-1).indent + 1;
    if (!state.lists.length || (deeper && state.lists.length < 6)) {
      const parent = deeper ? state.lists.at(-1).item : this.root;
      const start = number && number !== "1" ? number : null;
      const list = this.add(parent, h(number ? "ol" : "ul", { start }));
      state.lists = [...state.lists, { indent: indent.length, list, item: null }];
    }
    const last = { ...state.lists.at(-1) };
    last.item = this.add(last.list, h("li", { dir: "auto" }, inline(text)));
    state.lists = [...state.lists.slice(0, -1), last];
  }

  row(line) {
    const { state } = this;
    if (!state.rows) {
      this.close();
      state.rows = h("tbody");
      this.add(this.root, h("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" }, h("table", {}, state.rows)));
    } else if (TABLE_RULE.test(line)) return;
    const cells = line.trim().slice(1, -1).split("|").slice(0, 100);
    this.add(state.rows, h("tr", {}, cells.map((cell) => h("td", { dir: "auto" }, inline(cell.trim())))));
  }

  /** Text as it stands, whatever is in it. */
  bare(text) {
    const { state } = this;
    const shown = visible(text);
    for (let at = 0; at < shown.length || at === 0;) {
      if (!state.run || state.run.data.length >= BLOCK) {
        if (!state.run) this.close();
        state.run = document.createTextNode("");
        this.add(this.root, h("div", { class: "run", dir: "auto" }, state.run));
      }
      const piece = shown.slice(at, at + BLOCK - state.run.data.length);
      state.run.appendData(piece);
      at += piece.length || 1;
    }
  }
}
