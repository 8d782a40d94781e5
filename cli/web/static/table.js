// A page of rows. Each row's id is a link to it; the arrows go up and down.

import { tone } from "./causes.js";
import { h, refresh } from "./dom.js";
import { NONE, count, money, took, words } from "./format.js";
import { oneLine } from "./plain.js";

const COLUMNS = [
  ["file", "Row", ""], ["", "Status", ""], ["", "Answer", "wide"], ["", "Model", "model"], ["latency", "Latency", "number"],
  ["ttft", "First token", "number"], ["output_tokens", "Tokens", "number"], ["cost", "Cost", "number"], ["attempts", "Tries", "number"],
];

export class Table {
  /** `sort(name)` is asked for by a heading; `address(at)` is the link of a row. */
  constructor(sort, address) {
    this.sort = sort;
    this.address = address;
    this.head = h("tr");
    this.rows = h("tbody");
    this.nothing = h("p", { class: "none", hidden: true }, "No row is like that. Take a filter away.");
    this.element = h("div", { class: "rows" }, h("table", { "aria-label": "Rows of the file" }, h("thead", {}, this.head), this.rows), this.nothing);
    this.rows.addEventListener("click", (event) => {
      const link = event.target.closest("tr")?.querySelector("a");
      if (link && !event.target.closest("a") && !String(getSelection())) link.click();
    });
  }

  show(rows, { sort, at, matched }) {
    refresh(this.head, sort, () => COLUMNS.map((column) => this.heading(column, sort)));
    const focused = this.rows.contains(document.activeElement) ? document.activeElement.dataset.at : null;
    refresh(this.rows, [rows, this.address("")], () => rows.map((row) => this.row(row)));
    if (focused !== null) this.focus(focused);
    this.nothing.hidden = matched > 0;
    this.choose(at);
  }

  heading([name, text, kind], sort) {
    if (!name) return h("th", { scope: "col", class: kind }, text);
    const now = sort === name ? "ascending" : sort === `-${name}` ? "descending" : null;
    const next = now === "descending" && name !== "file" ? name : name === "file" ? "" : `-${name}`;
    return h("th", { scope: "col", class: kind, "aria-sort": name === "file" && !now ? null : now },
      h("button", { type: "button", onclick: () => this.sort(next) }, text, h("span", { "aria-hidden": "true" }, now === null || name === "file" ? "" : now === "ascending" ? " ↑" : " ↓")));
  }

  row(row) {
    const said = row.text || (row.error ? words(row.error) : "");
    const cell = (value, kind = "number") => h("td", { class: value === NONE ? `${kind} none` : kind }, value);
    return h("tr", { "data-at": row.at },
      h("th", { scope: "row" }, h("a", { href: this.address(String(row.at)), "data-at": row.at, dir: "auto" }, oneLine(row.id ?? `line ${row.line}`))),
      h("td", { class: "status" }, h("span", { class: `state ${tone(row.status)}` }, words(row.status))),
      h("td", { class: "wide", dir: "auto" }, h("span", { class: row.text ? "" : "error" }, oneLine(said))),
      h("td", { class: "model", dir: "auto", title: row.provider ? oneLine(`${row.provider}/${row.model}`) : null }, oneLine(row.model ?? "")),
      cell(took(row.latency_s), "number latency"), cell(took(row.ttft_s), "number extra"), cell(count(row.output_tokens)),
      cell(money(row.cost_usd)), cell(count(row.attempts), row.attempts > 1 ? "number many" : "number"));
  }

  choose(at) {
    for (const row of this.rows.children) {
      const chosen = row.dataset.at === at;
      row.classList.toggle("chosen", chosen);
      row.querySelector("a")?.toggleAttribute("aria-current", chosen);
    }
  }

  link(at) {
    return [...this.rows.querySelectorAll("a")].find((link) => link.dataset.at === at);
  }

  focus(at) {
    this.link(at)?.focus();
  }

  /** The focus goes up or down; to the first row where it was elsewhere. */
  move(by) {
    const links = [...this.rows.querySelectorAll("a")];
    const now = links.indexOf(document.activeElement);
    links[now < 0 ? 0 : Math.max(0, Math.min(links.length - 1, now + by))]?.focus();
  }

  beside(at, by) {
    const links = [...this.rows.querySelectorAll("a")];
    const now = links.findIndex((link) => link.dataset.at === at);
    return links[now + by]?.dataset.at ?? null;
  }
}
