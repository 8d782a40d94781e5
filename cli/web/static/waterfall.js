// Where a row's time went: the queue, every attempt and the waits between them, on one axis.

import { h } from "./dom.js";
import { took, words } from "./format.js";
import { visible } from "./plain.js";

/** A list of bars, each with its time in words. */
export function waterfall(result) {
  const steps = stepsOf(result);
  const begin = Math.min(0, ...steps.map((step) => step.from));
  const end = Math.max(...steps.map((step) => step.to), begin + 1e-6);
  const place = (time) => `${(100 * (time - begin)) / (end - begin)}%`;
  return h("ol", { class: "waterfall" }, steps.map(({ name, note, from, to, kind }) => {
    const bar = h("span", { class: `span ${kind}` });
    bar.style.insetInlineStart = place(from);
    bar.style.width = `${(100 * Math.max(0, to - from)) / (end - begin)}%`;
    return h("li", {}, h("span", { class: "what" }, name, note && h("small", {}, ` ${note}`)),
      h("span", { class: "track", "aria-hidden": "true" }, bar), h("span", { class: "took" }, took(to - from)));
  }));
}

/** Seconds from the first send; what lies before it is negative. */
function stepsOf({ status, model, provider, metrics, error }) {
  const { queue_s: queue, limiter_s: limiter, ttft_s: first, latency_s: latency } = metrics;
  const told = Array.isArray(metrics.tried) ? metrics.tried : [];
  const limited = Math.min(limiter, queue);
  const steps = [];
  if (queue - limited > 0) steps.push({ name: "In the queue", from: -queue, to: -limited, kind: "queue" });
  if (limited > 0) steps.push({ name: "Held by limits", from: -limited, to: 0, kind: "limit" });
  const route = provider && model ? `${provider}/${model}` : model ?? "";
  if (!told.length && metrics.attempts > 1) {
    steps.push({ name: `${metrics.attempts} attempts`, note: "and the waits between them", from: 0, to: latency, kind: error ? "bad" : "generation" });
    return steps;
  }
  const tried = told.length ? told
    : [{ at_s: 0, took_s: latency, route, error: error && metrics.attempts <= 1 ? error.type : null }];
  const several = tried.length > 1;
  let before = 0;
  tried.forEach((attempt, at) => {
    const { at_s: from, took_s: length } = attempt;
    if (from - before > 0.0005) steps.push({ name: "Wait", from: before, to: from, kind: "wait" });
    before = from + length;
    const last = at === tried.length - 1;
    const name = several ? `Attempt ${at + 1}` : "Attempt";
    const failed = attempt.error;
    if (failed || !last || typeof first !== "number") {
      steps.push({ name, note: visible([failed && words(failed), attempt.route].filter(Boolean).join(" · ")), from, to: before, kind: failed || status === "error" ? "bad" : "generation" });
      return;
    }
    const token = Math.min(before, from + first);
    steps.push({ name: several ? `${name}: first token` : "To the first token", note: visible(attempt.route ?? ""), from, to: token, kind: "first" });
    steps.push({ name: several ? `${name}: answer` : "Answer", from: token, to: before, kind: "generation" });
  });
  return steps;
}
