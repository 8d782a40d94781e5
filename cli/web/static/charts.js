// Charts as SVG, drawn at the width they have. Each is an image with its figures in words.

import { h, svg } from "./dom.js";
import { rate, took } from "./format.js";

const HEIGHT = 132;
const TOP = 14;
const BOTTOM = 20;
const RIGHT = 2;
const BARS = 44;

/** An element that is drawn anew by `draw(width)` whenever its size or its data change. */
export class Chart {
  constructor(title, className = "") {
    this.picture = svg("svg", { role: "img", class: `chart ${className}`, height: HEIGHT });
    this.value = h("span", { class: "chart-value" });
    this.element = h("figure", {}, h("figcaption", {}, h("span", {}, title), this.value), this.picture);
    this.title = title;
    this.draw = () => {};
    this.width = 0;
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (width && width !== this.width) {
        this.width = width;
        this.draw();
      }
    }).observe(this.element);
  }

  show(said, nodes) {
    this.picture.setAttribute("aria-label", `${this.title}: ${said}`);
    this.picture.setAttribute("viewBox", `0 0 ${this.width || 300} ${HEIGHT}`);
    this.picture.replaceChildren(...nodes.flat(2));
  }
}

/** A quantity over time. `points` are [seconds, value]; the last value is the one of now. */
export class Curve extends Chart {
  constructor(title, shown = rate) {
    super(title, "curve");
    this.shown = shown;
  }

  update(points, now, ceiling = null) {
    this.value.textContent = this.shown(now);
    this.draw = () => this.plot(points, now, ceiling);
    if (this.width) this.draw();
  }

  plot(points, now, ceiling) {
    const last = points.at(-1)?.[0] ?? 0;
    const first = points[0]?.[0] ?? 0;
    const highest = Math.max(...points.map(([, value]) => value), 0);
    const top = nice(Math.max(highest, ceiling ?? 0));
    const x = (t) => ((t - first) / (last - first || 1)) * (this.width - RIGHT);
    const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
    const path = points.map(([t, value]) => `${x(t).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
    const floor = HEIGHT - BOTTOM;
    this.show(`${this.shown(now)} now, at most ${this.shown(highest)}, over ${took(last - first)}`, [
      grid(top, y, this.width, this.shown),
      points.length > 1 ? [
        svg("path", { class: "area", d: `M${x(first)} ${floor}L${path}L${x(last).toFixed(1)} ${floor}Z` }),
        svg("path", { class: "line", d: `M${path}` }),
        svg("circle", { class: "point", r: 2.5, cx: x(last), cy: y(points.at(-1)[1]) }),
      ] : [],
      ceiling === null ? [] : svg("line", { class: "ceiling", x1: 0, x2: this.width, y1: y(ceiling), y2: y(ceiling) }),
      label(0, HEIGHT - 5, took(first), "start"),
      label(this.width, HEIGHT - 5, took(last), "end"),
    ]);
  }
}

/** A distribution: `buckets` are [lower, upper, count], `marks` are {p50: value, ...}, in seconds. */
export class Distribution extends Chart {
  constructor(title) {
    super(title, "distribution");
  }

  update(buckets, marks) {
    const told = Object.entries(marks).filter(([, value]) => typeof value === "number");
    this.draw = () => this.plot(buckets, told);
    if (this.width) this.draw();
  }

  plot(buckets, told) {
    const { bars, low, high } = binned(buckets, told.map(([, value]) => value));
    const top = Math.max(...bars, 1);
    const span = Math.log(high / low);
    const x = (value) => (Math.log(value / low) / span) * this.width;
    const floor = HEIGHT - BOTTOM;
    const y = (number) => TOP + (1 - number / top) * (floor - TOP);
    const wide = this.width / bars.length;
    const said = told.map(([name, value]) => `${name} ${took(value)}`).join(", ");
    this.show(said || "nothing yet", [
      svg("line", { class: "axis", x1: 0, x2: this.width, y1: floor, y2: floor }),
      bars.map((number, at) => number === 0 ? [] : svg("rect", {
        class: "bar", x: (at * wide + 0.5).toFixed(1), width: Math.max(1, wide - 1).toFixed(1),
        y: y(number).toFixed(1), height: Math.max(1, floor - y(number)).toFixed(1), rx: 1,
      })),
      buckets.length ? ticks(low, high, this.width).map((value) => label(x(value), HEIGHT - 5, took(value), "middle")) : [],
      names(told, x, this.width).map(({ name, at, text, anchor }) => [
        svg("line", { class: `mark ${name}`, x1: at, x2: at, y1: TOP - 1, y2: floor }),
        label(text, TOP - 4, name, anchor, `mark ${name}`),
      ]),
    ]);
  }
}

/** Where the names of the marks can stand without touching each other. */
function names(told, x, width) {
  let free = 0;
  return told.map(([name, value]) => {
    const at = x(value);
    const text = Math.min(Math.max(at - 11, free), width - 22);
    free = text + 25;
    return { name, at, text, anchor: "start" };
  });
}

/** The buckets put together to bars of the same width on a logarithmic axis. */
function binned(buckets, values) {
  const filled = buckets.filter(([, , number]) => number > 0);
  let low = Math.min(...filled.map(([lower, upper]) => lower || upper / 2), ...values);
  let high = Math.max(...filled.map(([, upper]) => upper), ...values);
  if (!Number.isFinite(low) || !Number.isFinite(high) || low <= 0) [low, high] = [0.001, 1];
  low /= 1.06;
  high *= 1.06;
  const bars = new Array(BARS).fill(0);
  const place = (value) => (Math.log(value / low) / Math.log(high / low)) * BARS;
  for (const [lower, upper, number] of filled) {
    const from = place(lower || upper / 2);
    const to = Math.max(place(upper), from + 1e-9);
    for (let at = Math.max(0, Math.floor(from)); at < Math.min(BARS, to); at += 1) {
      bars[at] += (number * Math.max(0, Math.min(at + 1, to) - Math.max(at, from))) / (to - from);
    }
  }
  return { bars, low, high };
}

/** Round values on a logarithmic axis, as many as have room. */
function ticks(low, high, width) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const step of [1, 2, 5]) {
      const value = Number((step * 10 ** power).toPrecision(1));
      const at = (Math.log(value / low) / Math.log(high / low)) * width;
      if (at > 18 && at < width - 18) found.push([value, at]);
    }
  }
  const kept = [];
  for (const [value, at] of found) {
    if (!kept.length || at - kept.at(-1)[1] > 58) kept.push([value, at]);
  }
  return kept.map(([value]) => value);
}

function grid(top, y, width, shown) {
  return [0, 0.5, 1].map((part) => [
    svg("line", { class: part ? "grid" : "axis", x1: 0, x2: width, y1: y(top * part), y2: y(top * part) }),
    part ? label(0, y(top * part) - 3, shown(top * part), "start") : [],
  ]);
}

const label = (x, y, text, anchor, className = "") =>
  svg("text", { x, y, "text-anchor": anchor, class: className }, text);

/** The next round number. */
function nice(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((one) => one * power >= value * 0.999);
  return Number((step * power).toPrecision(3));
}

/** How much of a limit is used, as a meter: `share` of 1. */
export function meter(name, share, text) {
  const part = Math.max(0, Math.min(1, share ?? 0));
  const fill = h("span", { class: "fill" });
  fill.style.width = `${part * 100}%`;
  const bar = h("span", {
    class: "meter", role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100,
    "aria-valuenow": Math.round(part * 100), "aria-valuetext": text,
  }, fill);
  return h("div", { class: "metered" }, h("span", {}, name), h("span", { class: "number" }, text), bar);
}
