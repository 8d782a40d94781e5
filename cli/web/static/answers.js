// The answers that are being watched, as their tokens come: a card each, the last text kept.

import { tone } from "./causes.js";
import { h } from "./dom.js";
import { count, rate, took } from "./format.js";
import { oneLine, visible } from "./plain.js";

const CARDS = 6;
const KEPT = 4000;

export class Answers {
  constructor() {
    this.cards = new Map();
    this.list = h("ul", { class: "cards" });
    this.element = h("section", { class: "answers", "aria-label": "Answers as they come", hidden: true },
      h("h3", {}, "Answers as they come"), this.list);
    this.frame = 0;
  }

  clear() {
    this.cards.clear();
    this.list.replaceChildren();
    this.element.hidden = true;
  }

  chunk({ row, attempt, text, gap }) {
    const card = this.card(row, attempt);
    if (text === null) card.restart(attempt);
    else card.push((gap ? `\n⋯ ${count(gap)} characters not shown ⋯\n` : "") + text);
    this.schedule();
  }

  done({ row, result }) {
    const card = this.cards.get(row);
    if (!card) return;
    card.end(result);
    this.cards.delete(row); // the one that has been over for the longest makes room first
    this.cards.set(row, card);
  }

  /** The job has its end: nothing more will come. */
  ended(over) {
    if (!over) return;
    for (const card of this.cards.values()) card.stop();
  }

  card(row, attempt) {
    const known = this.cards.get(row);
    if (known && !known.over) return known;
    const card = new Card(row, attempt);
    if (known) known.element.replaceWith(card.element);
    else if (this.cards.size < CARDS) this.list.append(card.element);
    else {
      const oldest = [...this.cards.values()].find((one) => one.over) ?? this.cards.values().next().value;
      oldest.element.replaceWith(card.element);
      this.cards.delete(oldest.row);
    }
    this.cards.delete(row);
    this.cards.set(row, card);
    this.element.hidden = false;
    return card;
  }

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      for (const card of this.cards.values()) card.draw();
    });
  }
}

class Card {
  constructor(row, attempt) {
    this.row = row;
    this.over = false;
    this.waiting = "";
    this.text = document.createTextNode("");
    this.body = h("div", { class: "text", dir: "auto" }, this.text);
    this.state = h("span", { class: "state" }, "writing");
    this.again = h("span", { class: "again" }, tries(attempt));
    this.foot = h("p", { class: "foot" });
    this.element = h("li", { class: "card writing" },
      h("p", { class: "head" }, h("bdi", { class: "row" }, oneLine(row)), this.again, this.state),
      this.body, this.foot);
  }

  push(text) {
    this.waiting = (this.waiting + text).slice(-KEPT);
  }

  restart(attempt) {
    this.waiting = "";
    this.text.data = "";
    this.again.textContent = tries(attempt);
  }

  draw() {
    if (!this.waiting) return;
    this.text.appendData(visible(this.waiting));
    this.waiting = "";
    if (this.text.length > 2 * KEPT) this.text.deleteData(0, this.text.length - KEPT);
    this.body.scrollTop = this.body.scrollHeight;
  }

  end(result) {
    this.draw();
    this.over = true;
    const { status, usage, metrics, error } = result;
    this.element.className = "card";
    this.state.className = `state ${tone(status)}`;
    this.state.textContent = status;
    const facts = [];
    if (usage) facts.push(`${count(usage.output_tokens)} tokens`);
    if (typeof metrics?.ttft_s === "number") facts.push(`first ${took(metrics.ttft_s)}`);
    if (typeof metrics?.output_tokens_per_s === "number") facts.push(`${rate(metrics.output_tokens_per_s)}/s`);
    if (error) facts.push(visible(error.type));
    this.foot.textContent = facts.join(" · ");
    this.body.scrollTop = this.body.scrollHeight;
  }

  stop() {
    if (this.over) return;
    this.over = true;
    this.element.className = "card";
    this.state.textContent = "";
  }
}

const tries = (attempt) => (attempt > 1 ? `attempt ${attempt}` : "");
