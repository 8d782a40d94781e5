// One question and its answer, while it comes and after.

import { cause } from "./causes.js";
import { copyButton, h } from "./dom.js";
import { count, money, rate, took, words } from "./format.js";
import { blocks, visible } from "./plain.js";
import { Prose } from "./prose.js";

export class Turn {
  /** `on` is told when it `ended`, when it was `drawn`, and when it is wanted `again`. */
  constructor(id, question, model, on) {
    Object.assign(this, { id, question, model, on, answer: "", open: true, result: null });
    this.body = h("div", { class: "prose" });
    this.prose = new Prose(this.body, on.drawn);
    this.foot = h("p", { class: "foot" }, h("span", { class: "wait" }, "waiting for the first token"));
    this.element = h("article", { class: "turn open", "aria-busy": "true" },
      h("div", { class: "question" }, h("h2", { class: "unseen" }, "You"), [...blocks(question)].map((block) => h("div", { class: "run", dir: "auto" }, block))),
      h("div", { class: "answer" }, h("h2", { class: "who", dir: "auto" }, visible(model)), this.body, this.foot));
  }

  chunk(text) {
    if (text === null) {
      this.answer = "";
      this.prose.clear();
      return;
    }
    if (!this.answer) this.foot.replaceChildren();
    this.answer += text;
    this.prose.push(text);
  }

  done({ result, stopped }) {
    this.result = result;
    const whole = typeof result?.output === "string" ? result.output : null;
    if (whole !== null && !this.answer) this.chunk(whole); // it came in one piece
    this.end(stopped ? "stopped" : result?.status ?? "ok", stopped ? null : result?.error);
  }

  failed(message) {
    this.end("error", { type: "error", message });
  }

  end(status, error) {
    if (!this.open) return;
    this.open = false;
    this.element.classList.remove("open");
    this.prose.end().then(() => this.element.setAttribute("aria-busy", "false"));
    const told = facts(this.result);
    if (status !== "ok") told.unshift(h("span", { class: status === "stopped" ? "state" : "state bad" }, words(status)));
    const problem = error && h("span", { class: "failure", dir: "auto" },
      visible(error.type === "error" ? error.message : `${words(error.type)}: ${error.message || cause(error.type)}`));
    this.foot.replaceChildren(...[
      problem, h("span", { class: "metrics" }, told),
      h("span", { class: "buttons" }, copyButton("Copy", () => this.answer),
        h("button", { type: "button", class: "quiet small", onclick: () => this.on.again() }, "Retry")),
    ].filter(Boolean));
    this.on.ended(status === "ok" ? "The answer is complete" : `The answer has ended: ${words(status)}`);
    this.on.drawn();
  }

  remove() {
    this.open = false;
    this.prose.clear();
    this.element.remove();
  }
}

function facts(result) {
  const { usage, metrics, cost_usd: cost, provider, model } = result ?? {};
  const fact = (name, value, text) => h("data", { "data-metric": name, value: String(value), title: String(value) }, text);
  return [
    provider && h("bdi", {}, visible(`${provider}/${model}`)),
    usage && fact("output_tokens", usage.output_tokens, `${count(usage.output_tokens)} tokens`),
    usage && fact("input_tokens", usage.input_tokens, `${count(usage.input_tokens)} in`),
    typeof metrics?.ttft_s === "number" && fact("ttft_s", metrics.ttft_s, `first after ${took(metrics.ttft_s)}`),
    typeof metrics?.output_tokens_per_s === "number" && fact("output_tokens_per_s", metrics.output_tokens_per_s, `${rate(metrics.output_tokens_per_s)} tokens/s`),
    typeof metrics?.latency_s === "number" && fact("latency_s", metrics.latency_s, took(metrics.latency_s)),
    typeof cost === "number" && fact("cost_usd", cost, money(cost)),
    metrics?.attempts > 1 && fact("attempts", metrics.attempts, `${metrics.attempts} attempts`),
  ].filter(Boolean);
}
