// One row: its request, its answer, where its time went, and why it failed.

import { cause, tone } from "./causes.js";
import { load } from "./connection.js";
import { copyButton, h } from "./dom.js";
import { count, money, plural, rate, took, words } from "./format.js";
import { blocks, oneLine, visible } from "./plain.js";
import { Prose } from "./prose.js";
import { waterfall } from "./waterfall.js";

export class Row {
  constructor({ close, step }) {
    this.name = h("h2", { id: "row-name", tabindex: "-1", dir: "auto" });
    this.state = h("span", { class: "pill" });
    this.content = h("div", { class: "content" });
    const button = (text, label, act) => h("button", { type: "button", class: "quiet icon", "aria-label": label, title: label, onclick: act }, text);
    this.element = h("section", { class: "row", "aria-labelledby": "row-name", hidden: true },
      h("header", {}, this.name, this.state, h("span", { class: "steps" },
        button("↑", "Previous row", () => step(-1)), button("↓", "Next row", () => step(1)), button("✕", "Close the row", close))),
      this.content);
  }

  async open(file, at) {
    const key = JSON.stringify([file, at]);
    if (this.key === key) return;
    this.key = key;
    const first = this.element.hidden;
    let found;
    try {
      found = await load("api/row", { file, at });
    } catch (error) {
      if (this.key !== key) return;
      this.key = null;
      this.title("Not found", "");
      this.content.replaceChildren(h("p", { class: "error" }, error.message));
      this.element.hidden = false;
      return;
    }
    if (this.key !== key) return;
    this.element.hidden = false;
    this.show(found);
    if (first) this.name.focus({ preventScroll: true });
  }

  shut() {
    this.key = null;
    this.element.hidden = true;
    this.content.replaceChildren();
  }

  title(name, status) {
    this.name.textContent = oneLine(name);
    this.state.textContent = words(status);
    this.state.className = `pill ${tone(status)}`;
    this.state.hidden = !status;
  }

  show({ result, request, why }) {
    this.title(result.id ?? `line ${result.line}`, result.status);
    const raw = () => JSON.stringify(result, null, 2);
    this.content.replaceChildren(...[
      facts(result), failure(result.error), answer(result), result.metrics && part("Time", waterfall(result)),
      ...["reasoning", "tool_calls", "logprobs"].filter((name) => result[name]).map((name) => folded(words(name), asText(result[name]))),
      asked(request, why), metrics(result.metrics), extra("Metadata", result.metadata),
      folded("The whole line", raw()), h("p", { class: "links" }, copyButton("Copy link", () => location.href), copyButton("Copy line", () => JSON.stringify(result))),
    ].filter(Boolean));
    this.content.scrollTop = 0;
  }
}

const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function part(title, ...content) {
  return h("section", { class: "part", "aria-label": title }, h("h3", {}, title), content);
}

/** A long text: all of it, and only what is seen is laid out. */
function long(text) {
  return h("div", { class: "text", tabindex: "0" }, [...blocks(text)].map((block) => h("div", { class: "run", dir: "auto" }, block)));
}

function folded(title, text) {
  const details = h("details", {}, h("summary", {}, title));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(long(text));
  });
  return details;
}

function facts(result) {
  const { usage, metrics } = result;
  const told = [
    result.provider && result.model ? visible(`${result.provider}/${result.model}`) : visible(result.model ?? ""),
    usage && `${count(usage.input_tokens)} tokens in, ${count(usage.output_tokens)} out`,
    typeof result.cost_usd === "number" && money(result.cost_usd),
    metrics && took(metrics.latency_s),
    metrics?.attempts > 1 && plural(metrics.attempts, "attempt", "attempts"),
    result.fallbacks > 0 && plural(result.fallbacks, "fallback", "fallbacks"),
    result.finish_reason && `ended with ${visible(result.finish_reason)}`,
    metrics?.cached && "out of the cache",
    metrics?.same_as && `the same as ${oneLine(metrics.same_as)}`,
  ];
  return h("p", { class: "facts", dir: "auto" }, told.filter(Boolean).join("  ·  "));
}

function failure(error) {
  if (!error) return null;
  const { type, http_status: http, message } = error;
  const named = type && h("p", {}, h("strong", {}, visible(words(type))), http ? ` · HTTP ${visible(http)}` : "", ` · ${visible(cause(type))}`);
  return h("div", { class: "failure" }, named, h("p", { class: "message", dir: "auto" }, visible(message ?? (type ? "" : asText(error)))));
}

function answer(result) {
  const { output } = result;
  if (output === null || output === undefined || output === "") return part("Answer", h("p", { class: "none" }, "There is none."));
  const text = asText(output);
  const body = long(text);
  const buttons = h("span", { class: "buttons" }, copyButton("Copy", () => text));
  const answered = part("Answer", body);
  if (typeof output === "string") buttons.prepend(formatted(text, body));
  answered.firstChild.append(buttons);
  return answered;
}

function formatted(text, body) {
  const button = h("button", { type: "button", class: "quiet small", "aria-pressed": "false" }, "Formatted");
  const prose = h("div", { class: "prose text", hidden: true });
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    if (on && !prose.isConnected) {
      body.after(prose);
      const writer = new Prose(prose);
      writer.push(text);
      writer.end();
    }
    body.hidden = on;
    prose.hidden = !on;
  });
  return button;
}

function asked(request, why) {
  if (!request) return part("Request", h("p", { class: "none" }, visible(why ?? "It is not known.")));
  const { messages, ...rest } = request;
  const said = Array.isArray(messages) ? messages.map((message) => h("div", { class: "message" },
    h("p", { class: "role" }, visible(message.role ?? "")), long(asText(message.content ?? message)))) : [];
  const more = Object.keys(rest).length ? folded(said.length ? "Model and parameters" : "Request", asText(rest)) : null;
  const section = part("Request", said, more);
  section.firstChild.append(h("span", { class: "buttons" }, copyButton("Copy", () => JSON.stringify(request, null, 2))));
  return section;
}

const TIMES = [
  ["queue_s", "Waited before it was sent", took], ["limiter_s", "Part of all waits for limits", took], ["ttft_s", "First token", took],
  ["itl_mean_s", "Between tokens, on average", took], ["itl_max_s", "Between tokens, at most", took], ["latency_s", "First send to last byte", took],
  ["output_tokens_per_s", "Output tokens a second", rate], ["attempts", "Attempts", count],
];

function metrics(values) {
  if (!values) return null;
  const rows = TIMES.filter(([name]) => typeof values[name] === "number").map(([name, label, shown]) => h("div", {},
    h("dt", {}, label), h("dd", {}, h("data", { value: values[name], "data-metric": name, title: String(values[name]) }, shown(values[name])))));
  const retried = Array.isArray(values.retried) && values.retried.length ? h("div", {}, h("dt", {}, "Made again after"), h("dd", {}, visible(values.retried.map(words).join(", ")))) : null;
  const started = h("div", {}, h("dt", {}, "Began"), h("dd", {}, visible(values.started_at ?? "")));
  return part("Metrics", h("dl", { class: "pairs" }, rows, retried, started));
}

function extra(title, values) {
  if (!values || !Object.keys(values).length) return null;
  return part(title, h("dl", { class: "pairs" }, Object.entries(values).map(([name, value]) =>
    h("div", {}, h("dt", { dir: "auto" }, oneLine(name)), h("dd", { dir: "auto" }, visible(asText(value)))))));
}
