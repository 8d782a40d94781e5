// What is looked for in a results file: a form, and its values as parameters of an address.

import { h, refresh } from "./dom.js";
import { count, words } from "./format.js";
import { tone } from "./causes.js";

const RANGES = [["latency", "Latency, s"], ["cost", "Cost, USD"]];
const SORTS = [
  ["file", "As in the file"], ["-latency", "Slowest first"], ["latency", "Fastest first"],
  ["-ttft", "Latest first token"], ["ttft", "Earliest first token"], ["-cost", "Most expensive"], ["cost", "Cheapest"],
  ["-output_tokens", "Longest answer"], ["output_tokens", "Shortest answer"], ["-attempts", "Most attempts"],
];
const WAIT_MS = 250;

export class Filters {
  /** `changed(values)` is called when the user has asked for something else. */
  constructor(changed) {
    this.changed = changed;
    this.timer = 0;
    this.text = h("input", { type: "search", id: "find", placeholder: "Text of the answer, id or error", autocomplete: "off", spellcheck: "false", dir: "auto" });
    this.numbers = RANGES.flatMap(([name]) => ["min", "max"].map((end) => [`${end}_${name}`, h("input", {
      type: "number", min: "0", step: "any", inputmode: "decimal", id: `${end}_${name}`, placeholder: end, "aria-label": `${name}, ${end === "min" ? "at least" : "at most"}`,
    })]));
    this.sort = h("select", { id: "sort" }, SORTS.map(([value, text]) => h("option", { value }, text)));
    this.statuses = h("div", { class: "chips" });
    this.chosen = new Set();
    this.clearing = h("button", { type: "button", class: "quiet small", onclick: () => this.clear() }, "Clear filters");
    this.element = h("form", { class: "filters", role: "search", "aria-label": "Rows", onsubmit: (event) => { event.preventDefault(); this.tell(0); } },
      h("div", { class: "field grow" }, h("label", { for: "find" }, "Search"), this.text),
      RANGES.map(([name, label]) => h("fieldset", { class: "field range" }, h("legend", {}, label), this.numbers.filter(([key]) => key.endsWith(name)).map(([, input]) => input))),
      h("div", { class: "field" }, h("label", { for: "sort" }, "Order"), this.sort),
      h("fieldset", { class: "field statuses" }, h("legend", {}, "Status"), this.statuses), this.clearing);
    this.element.addEventListener("input", ({ target }) => this.tell(target.type === "checkbox" || target === this.sort ? 0 : WAIT_MS));
  }

  get values() {
    const values = { status: [...this.chosen].join(","), q: this.text.value, sort: this.sort.value === "file" ? "" : this.sort.value };
    for (const [name, input] of this.numbers) values[name] = input.value;
    return values;
  }

  set values(values) {
    if (this.timer) return; // what is being typed comes after what the address says
    const set = (input, value) => { if (input.value !== value) input.value = value; };
    set(this.text, values.q ?? "");
    set(this.sort, values.sort || "file");
    for (const [name, input] of this.numbers) set(input, values[name] ?? "");
    this.chosen = new Set((values.status ?? "").split(",").filter(Boolean));
    this.clearing.hidden = !Object.entries(this.values).some(([name, value]) => value && name !== "sort");
    this.tick();
  }

  /** How many rows of each status the file has. */
  counted(statuses) {
    const names = Object.keys(statuses).sort((one, other) => statuses[other] - statuses[one]);
    const all = [...new Set([...names, ...this.chosen])];
    refresh(this.statuses, all, () => all.map((name) => h("label", { class: `chip ${tone(name)}` },
      h("input", { type: "checkbox", value: name, onchange: ({ target }) => this.toggle(name, target.checked) }),
      h("span", {}, words(name), " "), h("span", { class: "number" }))));
    for (const label of this.statuses.children) label.lastChild.textContent = count(statuses[label.firstChild.value] ?? 0);
    this.tick();
  }

  tick() {
    for (const box of this.statuses.querySelectorAll("input")) box.checked = this.chosen.has(box.value);
  }

  toggle(name, on) {
    if (on) this.chosen.add(name);
    else this.chosen.delete(name);
  }

  clear() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.values = { sort: this.values.sort };
    this.tell(0);
    this.text.focus();
  }

  tell(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.changed(this.values);
    }, wait);
  }
}
