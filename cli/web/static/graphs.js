// A job over time, and how its times are spread.

import { Curve, Distribution } from "./charts.js";
import { h } from "./dom.js";
import { count, figure, rate, took } from "./format.js";

const TIMES = [["ttft_s", "Time to first token"], ["latency_s", "Whole answer"], ["itl_s", "Between tokens"]];

export class Graphs {
  constructor() {
    this.rows = new Curve("Rows a second");
    this.tokens = new Curve("Output tokens a second");
    this.flight = new Curve("In flight", count0);
    this.spread = TIMES.map(([name, title]) => ({
      name, chart: new Distribution(title), marks: h("p", { class: "marks" }),
    }));
    const time = this.time = h("section", { "aria-label": "Over time", hidden: true },
      h("h3", {}, "Over time"),
      h("div", { class: "charts" }, this.rows.element, this.tokens.element, this.flight.element));
    const spread = this.times = h("section", { "aria-label": "Times", hidden: true },
      h("h3", {}, "Times"),
      h("div", { class: "charts" }, this.spread.map(({ chart, marks }) => {
        chart.element.append(marks);
        return chart.element;
      })));
    this.element = h("div", { class: "graphs" }, time, spread);
  }

  clear() {
    this.time.hidden = true;
    this.times.hidden = true;
  }

  show(job) {
    if (job.timeline?.points?.length) this.overTime(job);
    if (job.summary) this.distributions(job.summary, job.histograms ?? {});
  }

  overTime({ timeline, recent, state, summary, in_flight: flying, concurrency }) {
    this.time.hidden = false;
    const points = recent ? ofThisRun(timeline.points, summary?.skipped ?? {}) : timeline.points;
    const running = state === "running";
    const [rows, tokens] = [speeds(points, 2), speeds(points, 4)];
    const flight = points.filter(([, value]) => typeof value === "number").map(([t, value]) => [t, value]);
    this.rows.update(rows, running && recent ? recent.rows_per_s : overall(points, 2));
    this.tokens.update(tokens, running && recent ? recent.output_tokens_per_s : overall(points, 4));
    const now = running ? flying ?? 0 : Math.max(...flight.map(([, value]) => value), 0);
    this.flight.update(flight, now, running ? concurrency ?? null : null);
  }

  distributions(summary, histograms) {
    this.times.hidden = !TIMES.some(([name]) => typeof summary[name]?.p50 === "number");
    for (const { name, chart, marks } of this.spread) {
      const values = summary[name] ?? {};
      chart.element.hidden = typeof values.p50 !== "number";
      if (chart.element.hidden) continue;
      chart.update(histograms[name] ?? [], values);
      const parts = Object.entries(values).map(([mark, value]) =>
        h("span", { class: mark }, h("span", {}, mark), " ", figure(`${name}.${mark}`, value, took(value), "s")));
      marks.replaceChildren(...parts);
    }
  }
}

/** What an earlier run had done is no part of how fast this one is. */
function ofThisRun(points, skipped) {
  const before = Object.values(skipped).reduce((sum, value) => sum + value, 0);
  if (!before || (points[0]?.[2] ?? 0) >= before || points.at(-1)[2] < before) return points;
  return points.map(([t, flying, done, ...rest]) => [t, flying, Math.max(0, done - before), ...rest]);
}

/** How fast a sum grew until each point: over two points at least, so that a curve does not flicker. */
function speeds(points, place) {
  const window = Math.max((points.at(-1)[0] - points[0][0]) / 60, 1.5);
  let start = 0;
  return points.map((point, at) => {
    while (start + 1 < at && point[0] - points[start + 1][0] >= window) start += 1;
    const seconds = point[0] - points[start][0];
    return [point[0], seconds > 0 ? (point[place] - points[start][place]) / seconds : 0];
  });
}

function overall(points, place) {
  const [first, last] = [points[0], points.at(-1)];
  return last[0] > first[0] ? (last[place] - first[place]) / (last[0] - first[0]) : 0;
}

const count0 = (value) => (value >= 10 || Number.isInteger(value) ? count(Math.round(value)) : rate(value));
