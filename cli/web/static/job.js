// One job, as its last frame has it. Built once; then only what has changed is changed.

import { Answers } from "./answers.js";
import { cause } from "./causes.js";
import { meter } from "./charts.js";
import { h, refresh, say } from "./dom.js";
import { NONE, base, clock, count, duration, figure, money, percent, plural, rate, took, words } from "./format.js";
import { visible } from "./plain.js";
import { Graphs } from "./graphs.js";

const BAD = ["error", "partial", "invalid", "invalid_output", "refused", "filtered"];
const STATES = { running: "Running", finished: "Finished", stopped: "Stopped", gone: "Gone" };

export class Job {
  constructor() {
    this.name = h("h2", { id: "job-name", tabindex: "-1", dir: "auto" });
    this.state = h("span", { class: "pill" });
    this.subject = h("p", { class: "subject", dir: "auto" });
    this.links = h("p", { class: "links" });
    this.progress = h("div", { class: "progress" });
    this.tiles = h("dl", { class: "tiles", "aria-label": "Figures" });
    this.verdict = h("p", { class: "verdict" });
    this.limits = section("Limits in use", "share of the last minute");
    this.answers = new Answers();
    this.graphs = new Graphs();
    this.causes = section("Failures and retries");
    this.routes = section("Routes");
    this.notices = section("Notices");
    this.element = h("article", { class: "job", "aria-labelledby": "job-name" },
      h("header", {}, h("div", { class: "named" }, this.name, this.state, this.links), this.subject),
      this.progress, this.tiles, h("div", { class: "why" }, this.verdict, this.limits.element), this.answers.element,
      this.graphs.element, this.causes.element, this.routes.element, this.notices.element);
  }

  /** Another job is shown from now on. */
  start(listed) {
    this.answers.clear();
    this.graphs.clear();
    this.show(listed);
  }

  show(job) {
    const summary = job.summary ?? {};
    say(this.name, visible(base(job.output) || job.command || "Job"));
    this.name.title = visible(job.output);
    refresh(this.state, [job.state], () => STATES[job.state] ?? job.state);
    this.state.className = `pill ${job.state === "running" ? "running" : job.state === "finished" && !job.failed ? "good" : job.state === "finished" ? "warn" : "bad"}`;
    say(this.subject, about(job));
    refresh(this.links, [job.file, Boolean(job.failed)], () => (job.file ? links(job) : []));
    this.advance(job);
    refresh(this.tiles, tilesOf(job), () => tilesOf(job).map(tile));
    refresh(this.verdict, [summary.bound, summary.stopped], () => verdict(summary));
    this.verdict.hidden = !summary.bound?.by && !summary.stopped;
    this.limits.show(limitsOf(job), () => limitsOf(job).map(([name, share, text]) => meter(name, share, text)));
    const causes = causesOf(summary);
    this.causes.show(causes, () => causeTable(causes));
    const routes = Object.entries(summary.routes ?? {});
    this.routes.show([routes, summary.answered], () => routeTable(routes, summary.answered ?? {}), routes.length);
    const notices = job.notices ?? [];
    this.notices.show(notices, () => h("ol", { class: "notices" }, notices.toReversed().map((text) => h("li", { dir: "auto" }, visible(text)))));
    this.graphs.show(job);
    this.answers.ended(job.state !== "running");
  }

  advance(job) {
    const { done = 0, failed = 0, total } = job;
    const known = typeof total === "number" && total > 0;
    refresh(this.progress, [done, failed, total, job.state, Math.round(job.left_s ?? -1)], () => {
      const good = h("span", { class: "good" });
      const bad = h("span", { class: "bad" });
      good.style.width = known ? `${(100 * (done - failed)) / total}%` : "0";
      bad.style.width = known ? `${(100 * failed) / total}%` : "0";
      const said = known ? `${count(done)} of ${count(total)} rows, ${percent(done, total)}` : `${count(done)} rows`;
      const left = job.state === "running" && typeof job.left_s === "number" ? `${duration(job.left_s)} left` : "";
      return [
        h("span", {
          class: `bar ${known || job.state !== "running" ? "" : "unknown"}`, role: "progressbar", "aria-label": "Rows done",
          "aria-valuemin": known ? 0 : null, "aria-valuemax": known ? total : null,
          "aria-valuenow": known ? done : null, "aria-valuetext": said,
        }, good, bad),
        h("span", { class: "said" }, h("span", {}, said), h("span", {}, left)),
      ];
    });
  }
}

function section(title, hint = "") {
  const body = h("div", {});
  const element = h("section", { hidden: true, "aria-label": title },
    h("h3", {}, title, hint && h("small", {}, ` ${hint}`)), body);
  return {
    element,
    show(made, build, number = made.length) {
      element.hidden = !number;
      if (number) refresh(body, made, build);
    },
  };
}

/** Of many inputs a running job names the first 20, and says `and 1,234 more` at the end. */
function named(inputs) {
  const more = inputs.length === 21 ? /^and ([\d,]+) more$/.exec(inputs[20]) : null;
  const all = more ? 20 + Number(more[1].replaceAll(",", "")) : inputs.length;
  const first = inputs.slice(0, 3).map(base).join(", ");
  return all > 3 ? `${first} and ${count(all - 3)} more` : first;
}

function about(job) {
  const from = named(job.inputs ?? []);
  const parts = [`${job.command ?? "run"}${from ? ` ${from}` : ""}`];
  if (job.summary?.model) parts.push(job.summary.model);
  if (job.started_at) parts.push(`since ${clock(job.started_at)}`);
  const elapsed = job.summary?.wall_s ?? job.elapsed_s;
  if (typeof elapsed === "number") parts.push(elapsed < 60 ? took(elapsed) : duration(elapsed));
  if (job.pid && job.state === "running") parts.push(`process ${job.pid}`);
  return visible(parts.join("  ·  "));
}

function links({ file, failed }) {
  const to = (text, query) => h("a", { href: `#/results?${new URLSearchParams({ file, ...query })}` }, text);
  return [
    to("Browse its results", {}), to("Slowest rows", { sort: "-latency" }),
    failed ? to("Failed rows", { status: BAD.join(",") }) : null,
  ];
}

/** [name, value element's arguments, what stands below]: the same for equal frames. */
function tilesOf(job) {
  const { summary } = job;
  const running = job.state === "running";
  const recent = running ? job.recent : null;
  const usage = summary?.usage ?? {};
  const left = typeof job.total === "number" ? Math.max(0, job.total - (job.done ?? 0)) : null;
  const exact = (name, value, text, unit) => ["summary", name, value, text, unit];
  const plain = (name, value, text) => ["job", name, value, text];
  const cached = usage.cached_tokens ? `${count(usage.cached_tokens)} cached` : "";
  const reasoned = usage.reasoning_tokens ? `${count(usage.reasoning_tokens)} reasoning` : "";
  return [
    ["Done", plain("done", job.done, count(job.done)), job.total ? percent(job.done, job.total) : ""],
    ["Failed", plain("failed", job.failed, count(job.failed)), job.done ? `${rate((100 * (job.failed ?? 0)) / job.done)} %` : "", job.failed ? "bad" : ""],
    ["Left", plain("left", left, count(left)), running && job.left_s !== null && job.left_s !== undefined ? `about ${duration(job.left_s)}` : ""],
    recent
      ? ["Rows a second", plain("recent.rows_per_s", recent.rows_per_s, rate(recent.rows_per_s)), [exact("rows_per_s", summary?.rows_per_s, count(summary?.rows_per_s)), " overall"]]
      : ["Rows a second", exact("rows_per_s", summary?.rows_per_s, count(summary?.rows_per_s)), ""],
    recent
      ? ["Tokens a second", plain("recent.output_tokens_per_s", recent.output_tokens_per_s, rate(recent.output_tokens_per_s)), [exact("output_tokens_per_s", summary?.output_tokens_per_s, count(summary?.output_tokens_per_s)), " overall"]]
      : ["Tokens a second", exact("output_tokens_per_s", summary?.output_tokens_per_s, count(summary?.output_tokens_per_s)), ""],
    ["Tokens in", exact("usage.input_tokens", usage.input_tokens, count(usage.input_tokens)), cached],
    ["Tokens out", exact("usage.output_tokens", usage.output_tokens, count(usage.output_tokens)), reasoned],
    ["Cost", exact("cost_usd", summary?.cost_usd, unpriced(job) ? "unknown" : money(summary?.cost_usd), "USD"), costHint(summary, recent)],
    running
      ? ["In flight", plain("in_flight", job.in_flight, count(job.in_flight)), job.concurrency ? `of ${count(job.concurrency)}` : ""]
      : ["Took", exact("wall_s", summary?.wall_s, took(summary?.wall_s), "s"), ""],
    ["Attempts", exact("attempts", summary?.attempts, count(summary?.attempts)), retriesHint(summary)],
  ];
}

/** A price that nobody knows; before a row has ended there is nothing to be known. */
const unpriced = ({ done, summary }) => Boolean(summary) && summary.cost_usd === null && done > 0;

function costHint(summary, recent) {
  if (summary?.budget?.max_cost_usd) return `of ${money(summary.budget.max_cost_usd)}`;
  if (typeof recent?.usd_per_h === "number" && recent.usd_per_h > 0) return `${money(recent.usd_per_h)} an hour`;
  const without = total(summary?.unpriced);
  if (without) return `no price for ${plural(without, "row", "rows")}`;
  return summary?.saved_usd ? `${money(summary.saved_usd)} saved` : "";
}

function retriesHint(summary) {
  const retries = total(summary?.retries);
  return retries ? plural(retries, "retry", "retries") : "";
}

const total = (numbers) => Object.values(numbers ?? {}).reduce((sum, value) => sum + value, 0);

function tile([name, value, below, tone = ""]) {
  const small = Array.isArray(below) ? [number(below[0]), below[1]] : below || "\u00a0";
  return h("div", { class: `tile ${tone}` }, h("dt", {}, name), h("dd", {}, number(value)), h("dd", { class: "below" }, small));
}

function number([of, name, value, text, unit]) {
  if (of === "summary") return figure(name, value, text, unit);
  return h("data", { value: value ?? "", "data-job": name }, text);
}

function verdict({ bound, stopped }) {
  const said = [];
  if (stopped) said.push(h("span", { class: "stop" }, h("strong", {}, "Stopped early: "), visible(stopped.message ?? stopped.kind ?? "")));
  if (bound?.by) {
    const by = h("data", { value: bound.by, "data-figure": "bound.by" }, bound.by);
    const why = h("data", { value: bound.why, "data-figure": "bound.why" }, visible(bound.why));
    said.push(h("span", {}, "Bound by ", h("strong", {}, "the ", by), ": ", why));
  }
  return said;
}

function limitsOf(job) {
  const several = (job.limits ?? []).length > 1;
  return job.state !== "running" ? [] : (job.limits ?? []).flatMap((limit) => [["rpm", "requests"], ["tpm", "tokens"]].flatMap(([key, unit]) => {
    if (typeof limit[key] !== "number") return [];
    const used = limit[`${key}_used`];
    const share = typeof used === "number" ? `${Math.round(100 * used)} %` : NONE;
    return [[visible(`${several ? `${limit.route}: ` : ""}${count(limit[key])} ${unit} a minute`), used, share]];
  }));
}

function causesOf(summary) {
  const names = new Set([...Object.keys(summary.failures ?? {}), ...Object.keys(summary.retries ?? {})]);
  const rows = [...names].map((name) => [name, summary.failures?.[name] ?? 0, summary.retries?.[name] ?? 0]);
  return rows.sort((one, other) => other[1] - one[1] || other[2] - one[2] || one[0].localeCompare(other[0]));
}

function causeTable(rows) {
  const most = Math.max(...rows.map(([, failed, retried]) => Math.max(failed, retried)));
  const bar = (value, kind) => {
    const fill = h("span", { class: `fill ${kind}` });
    fill.style.width = `${(100 * value) / most}%`;
    return h("span", { class: "strip", "aria-hidden": "true" }, fill);
  };
  return h("table", { class: "figures causes" },
    h("thead", {}, h("tr", {}, ["Cause", "Rows failed", "Attempts made again"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map(([name, failed, retried]) => h("tr", {},
      h("th", { scope: "row", dir: "auto" }, visible(words(name)), h("small", {}, visible(cause(name) === words(name) ? "" : cause(name)))),
      h("td", { class: failed ? null : "zero" }, figure(`failures.${name}`, failed || null, count(failed)), bar(failed, "bad")),
      h("td", { class: retried ? null : "zero" }, figure(`retries.${name}`, retried || null, count(retried)), bar(retried, "warn"))))));
}

function routeTable(routes, answered) {
  const columns = ["Route", "Answers", "At a time", "Most", "Requests/min", "Tokens/min", "Held by limits", "Pauses", "Outages"];
  const cell = (label, key, value, text = count(value)) => h("td", {}, figure(`routes.${label}.${key}`, value, text));
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Routes, a table" }, h("table", { class: "figures" },
    h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, routes.map(([label, route]) => h("tr", {},
      h("th", { scope: "row", dir: "auto" }, visible(label), route.stopped && h("small", { class: "bad" }, visible(route.stopped))),
      h("td", {}, figure(`answered.${label}`, answered[label], count(answered[label] ?? 0))),
      cell(label, "concurrency", route.concurrency), cell(label, "highest", route.highest),
      cell(label, "rpm", route.rpm), cell(label, "tpm", route.tpm),
      cell(label, "limited_s", route.limited_s, took(route.limited_s)),
      h("td", {}, figure(`routes.${label}.pauses`, route.pauses, count(route.pauses)), route.pauses ? h("small", {}, figure(`routes.${label}.paused_s`, route.paused_s, took(route.paused_s), "s")) : null),
      h("td", {}, figure(`routes.${label}.outages`, route.outages, count(route.outages)), route.outages ? h("small", {}, figure(`routes.${label}.outage_s`, route.outage_s, took(route.outage_s), "s")) : null))))));
}
