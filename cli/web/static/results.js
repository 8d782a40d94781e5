// The view of results: a file, what is looked for in it, a page of its rows, and one of them.
//
// All of it stands in the address, so that a link leads to the same rows, and Back goes back.

import { load } from "./connection.js";
import { announce, h, refresh, say } from "./dom.js";
import { Filters } from "./filters.js";
import { base, bytes, clock, count, plural } from "./format.js";
import { visible } from "./plain.js";
import { Row } from "./row.js";
import { Table } from "./table.js";

const PAGE = 100;
const AGAIN_MS = 1500;

export class Results {
  constructor(root, connection) {
    this.state = {};
    this.failed = false;
    this.files = null;
    this.asked = "";
    this.timer = 0;
    this.filters = new Filters((values) => this.go({ ...values, from: "" }, true));
    this.picker = h("select", { id: "file", onchange: () => this.go({ file: this.picker.value, from: "", at: "" }) });
    this.facts = h("p", { class: "facts" });
    this.found = h("p", { class: "found" });
    this.table = new Table((sort) => this.go({ sort, from: "" }), (at) => this.address({ at }));
    this.pages = h("nav", { class: "pages", "aria-label": "Pages of rows" });
    this.empty = h("div", { class: "empty", hidden: true });
    this.row = new Row({ close: () => this.closeRow(), step: (by) => this.step(by) });
    this.lists = h("div", { class: "list" }, this.found, this.table.element, this.pages);
    this.body = h("div", { class: "body" }, this.lists, this.row.element);
    root.append(
      h("div", { class: "picked" }, h("h1", { id: "results-title", tabindex: "-1" }, "Results"),
        h("label", { for: "file", class: "unseen" }, "Results file"), this.picker, this.facts),
      this.filters.element, this.empty, this.body);
    this.root = root;
    connection.addEventListener("state", ({ detail }) => {
      if (detail.state === "live" && this.shown && this.failed) this.anew();
    });
    connection.on("jobs", ({ jobs }) => {
      const told = (job) => this.files?.find((file) => file.file === job.file)?.running === (job.state === "running");
      if (this.shown && this.files && jobs.some((job) => job.file && !told(job))) this.anew();
    });
  }

  title() {
    return this.state.file ? `${base(this.state.file)} – Results` : "Results";
  }

  async open({ parameters, again = false }) {
    this.shown = true;
    this.state = Object.fromEntries(parameters);
    if (this.files === null || !this.files.some((file) => file.file === this.state.file)) await this.list();
    if (!this.shown) return;
    if (!this.state.file && this.files?.length) {
      this.go({ file: this.files[0].file }, true);
      return;
    }
    this.picker.value = this.state.file ?? "";
    this.filters.values = this.state;
    this.describe();
    await Promise.all([this.rows(again), this.one()]);
  }

  /** The files may be others by now; what is looked for is the same. */
  anew() {
    this.files = null;
    return this.open({ parameters: Object.entries(this.state), again: true });
  }

  close() {
    this.shown = false;
    clearTimeout(this.timer);
  }

  /** The address of this view with these changes. */
  address(changes) {
    const values = { ...this.state, ...changes };
    const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return `#/results?${new URLSearchParams(kept)}`;
  }

  go(changes, replace = false) {
    if (replace || !("at" in changes && changes.at)) {
      history.replaceState(null, "", this.address(changes));
      dispatchEvent(new Event("hashchange"));
    } else location.hash = this.address(changes);
  }

  async list() {
    try {
      ({ files: this.files, note: this.note } = await load("api/files"));
    } catch (error) {
      this.wrong(error);
      return;
    }
    refresh(this.picker, this.files.map(({ file, running }) => [file, running]), () => this.files.map(({ file, running }) =>
      h("option", { value: file }, visible(file) + (running ? " (running)" : ""))));
    const none = this.files.length === 0;
    this.picker.hidden = none;
    if (none) {
      this.nothing("No results in this folder yet", "They are written beside the prompts by", "llmbatch run prompts.jsonl");
    }
  }

  nothing(big, more = "", command = "") {
    this.empty.hidden = false;
    this.body.hidden = true;
    this.filters.element.hidden = true;
    this.empty.replaceChildren(h("p", { class: "big" }, big), more && h("p", {}, more), command && h("pre", { tabindex: "0" }, command));
  }

  /** What could not be had; it is asked for again when the server is back. */
  wrong(error) {
    this.failed = true;
    this.nothing(error.message);
  }

  describe() {
    const file = this.files?.find((one) => one.file === this.state.file);
    const told = file ? [bytes(file.bytes), file.running ? "being written" : clock(file.modified)] : [];
    say(this.facts, [...told, this.note && visible(this.note)].filter(Boolean).join(" · "));
  }

  async rows(again = false) {
    clearTimeout(this.timer);
    if (!this.state.file) return;
    const { at: _, ...asked } = this.state;
    const key = JSON.stringify(asked);
    if (key === this.asked && !again) {
      this.table.choose(this.state.at);
      this.later();
      return;
    }
    const other = key !== this.asked;
    this.asked = key;
    this.stop?.abort();
    this.stop = new AbortController();
    const slow = setTimeout(() => this.body.classList.add("waits"), 200);
    try {
      const page = await load("api/rows", { ...asked, from: asked.from ?? 0, count: PAGE }, this.stop.signal);
      this.show(page, other);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.asked = "";
      this.wrong(error);
    } finally {
      clearTimeout(slow);
      this.body.classList.remove("waits");
    }
    this.later();
  }

  show(page, other) {
    this.page = page;
    this.failed = false;
    this.empty.hidden = true;
    this.body.hidden = false;
    this.filters.element.hidden = false;
    this.filters.counted(page.statuses ?? {});
    const read = page.bytes ? page.indexed_bytes / page.bytes : 1;
    const some = page.matched === page.total ? plural(page.total, "row", "rows") : `${count(page.matched)} of ${plural(page.total, "row", "rows")}`;
    const unread = page.unreadable ? `, ${plural(page.unreadable, "line is no result", "lines are no results")}` : "";
    const text = some + unread + (read < 0.9999 ? `, ${Math.floor(100 * read)} % of the file read` : "");
    say(this.found, text);
    if (other) announce(text);
    this.table.show(page.rows, { sort: this.state.sort ?? "file", at: this.state.at, matched: page.matched });
    this.paging(Number(this.state.from ?? 0), page);
  }

  paging(from, { matched, rows }) {
    this.pages.hidden = matched <= PAGE && from === 0;
    const last = Math.max(0, Math.floor((matched - 1) / PAGE) * PAGE);
    const to = (place, text, label) => (place === null
      ? h("span", { class: "off", "aria-hidden": "true" }, text)
      : h("a", { href: this.address({ from: place || "" }), "aria-label": label }, text));
    refresh(this.pages, [from, matched, rows.length, this.address({})], () => [
      to(from > 0 ? 0 : null, "« First", "First page"), to(from > 0 ? Math.max(0, from - PAGE) : null, "‹ Previous", "Previous page"),
      h("span", { class: "where" }, `${count(matched && from + 1)}–${count(from + rows.length)} of ${count(matched)}`),
      to(from < last ? from + PAGE : null, "Next ›", "Next page"), to(from < last ? last : null, "Last »", "Last page"),
    ]);
  }

  /** A file that is still read, or written, has more to show in a moment. */
  later() {
    const growing = this.files?.find((file) => file.file === this.state.file)?.running;
    const reading = this.page && this.page.indexed_bytes < this.page.bytes;
    if (this.shown && (growing || reading)) this.timer = setTimeout(() => this.more(growing), reading ? 300 : AGAIN_MS);
  }

  async more(growing) {
    if (growing) await this.list();
    this.describe();
    if (this.shown) await this.rows(true);
  }

  async one() {
    const { file, at } = this.state;
    this.body.classList.toggle("one", Boolean(at));
    if (at) await this.row.open(file, at);
    else this.row.shut();
  }

  closeRow() {
    const { at } = this.state;
    this.go({ at: "" });
    this.table.focus(at);
  }

  /** To the row that is so many further down. */
  step(by) {
    const at = this.table.beside(this.state.at, by);
    if (at !== null) this.go({ at }, Boolean(this.state.at));
  }

  key(event) {
    if (event.key === "Escape" && this.state.at) this.closeRow();
    else if (event.key === "j" || event.key === "ArrowDown") this.state.at ? this.step(1) : this.table.move(1);
    else if (event.key === "k" || event.key === "ArrowUp") this.state.at ? this.step(-1) : this.table.move(-1);
    else return false;
    return true;
  }

  search() {
    this.filters.text.focus();
  }
}
