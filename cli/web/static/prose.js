// A model's answer as it streams: a safe part of Markdown, made of nodes, a frame at a time.
//
// A line is rendered once, when it is complete; the one that is still coming is rendered in every
// frame and taken back. Blocks are short, and stand in parts that the browser lays out only when
// they are seen; what is very long stays plain text. So a megabyte of anything leaves the page
// in use while it comes.

import { h } from "./dom.js";
import { inline } from "./inline.js";
import { visible } from "./plain.js";

const LONG = 4000;
const BLOCK = 4000;
const LINES = 40;
const ITEMS = 25;
const PART = 8;
const NODES = 10_000;
const FRAME_MS = 8;
const BEHIND_MS = 24;
const BEHIND = 50_000;

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
    this.state = {
      part: null, blocks: 0, fence: "", open: null, size: 0, lines: 0, kind: "", lists: [], rows: null, run: null,
    };
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
    const until = performance.now() + (this.text.length > BEHIND ? BEHIND_MS : FRAME_MS);
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

  /** A block of its own: at the end of the part, or of a new one. */
  block(element) {
    const { state } = this;
    if (!state.part || state.blocks >= PART) {
      state.part = this.add(this.root, h("div", { class: "part" }));
      state.blocks = 0;
    }
    state.blocks += 1;
    return this.add(state.part, element);
  }

  /** One more line in the block that is open; true where it has room for it. */
  fits(line) {
    const { state } = this;
    const room = state.size <= BLOCK && state.lines < LINES;
    state.size = (room ? state.size : 0) + line.length + 1;
    state.lines = (room ? state.lines : 0) + 1;
    return room;
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
      state.open = this.block(h("pre", { tabindex: "0", "aria-label": "Code" }));
    } else if ((found = HEADING.exec(line))) {
      this.close();
      this.block(heading(found[1].length, found[2]));
    } else if (RULE.test(line)) {
      this.close();
      this.block(h("hr"));
    } else if ((found = ITEM.exec(line))) this.item(found);
    else if ((found = QUOTE.exec(line))) this.paragraph(found[1], "blockquote");
    else if (TABLE.test(line)) this.row(line);
    else if (state.lists.length && /^\s/.test(line)) this.add(state.lists.at(-1).item, "\n", ...inline(line.trim()));
    else this.paragraph(line, "p");
  }

  /** The block that is open has its end. */
  close() {
    Object.assign(this.state, { open: null, size: 0, lines: 0, kind: "", lists: [], rows: null, fence: "" });
  }

  paragraph(line, kind) {
    const { state } = this;
    const more = state.kind === kind && state.open;
    if (!more) this.close();
    if (!this.fits(line) || !more) {
      state.kind = kind;
      state.open = this.block(h(kind, { dir: "auto", class: more ? "more" : null }));
    } else this.write(state.open, "\n");
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
    const room = this.fits(line);
    const code = state.open.lastChild;
    if (code && room) this.write(code, `\n${visible(line)}`);
    else this.write(this.add(state.open, h("code")), visible(line));
    return undefined;
  }

  item([, indent, number, text]) {
    const { state } = this;
    if (!state.lists.length || state.lists.at(-1).list.children.length >= ITEMS) this.close();
    while (state.lists.length > 1 && state.lists.at(-1).indent > indent.length) state.lists.pop();
    const deeper = state.lists.length && indent.length > state.lists.at(-1).indent + 1;
    if (!state.lists.length || (deeper && state.lists.length < 6)) {
      const start = number && number !== "1" ? number : null;
      const made = h(number ? "ol" : "ul", { start });
      const list = deeper ? this.add(state.lists.at(-1).item, made) : this.block(made);
      state.lists = [...state.lists, { indent: indent.length, list, item: null }];
    }
    const last = { ...state.lists.at(-1) };
    last.item = this.add(last.list, h("li", { dir: "auto" }, inline(text)));
    state.lists = [...state.lists.slice(0, -1), last];
  }

  row(line) {
    const { state } = this;
    if (!state.rows || state.rows.children.length >= ITEMS) {
      this.close();
      state.rows = h("tbody");
      this.block(h("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" }, h("table", {}, state.rows)));
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
        this.block(h("div", { class: "run", dir: "auto" }, state.run));
      }
      const piece = shown.slice(at, at + BLOCK - state.run.data.length);
      state.run.appendData(piece);
      at += piece.length || 1;
    }
  }
}
