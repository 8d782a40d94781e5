// Numbers as a person wants to read them, by the same rules as the command line.

import { h } from "./dom.js";

export const NONE = "–";
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 20 });
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** All digits that there are, in groups of three. */
export const count = (value) => (missing(value) ? NONE : grouped.format(value));

/** Two or three digits that mean something. */
export function rate(value) {
  if (missing(value)) return NONE;
  if (value >= 100) return whole.format(value);
  return String(Number(value.toPrecision(value >= 1 ? 3 : 2)));
}

/** A length of time that has passed, in seconds: `30 ms`, `1.32 s`, `4m05s`. */
export function took(seconds) {
  if (missing(seconds)) return NONE;
  if (seconds < 0.9995) return `${digits(seconds * 1000)} ms`;
  return seconds < 59.95 ? `${digits(seconds)} s` : duration(seconds);
}

const digits = (value) => String(Number(value.toPrecision(3)));

/** `9s`, `4m05s`, `3h07m`, `2d04h`. */
export function duration(seconds) {
  if (missing(seconds)) return NONE;
  const all = Math.round(seconds);
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  if (all < 60) return `${all}s`;
  if (all < 3600) return `${Math.floor(all / 60)}m${two(all % 60)}s`;
  if (all < 86400) return `${Math.floor(all / 3600)}h${two((all % 3600) / 60)}m`;
  return `${Math.floor(all / 86400)}d${two((all % 86400) / 3600)}h`;
}

/** USD; what is not nothing never looks it. */
export function money(usd) {
  if (missing(usd)) return NONE;
  if (usd < 1e-6) return usd ? "less than $0.000001" : "$0";
  if (usd < 0.01) return `$${usd.toFixed(6)}`;
  if (usd < 1) return `$${usd.toFixed(4)}`;
  return `$${usd.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

export function bytes(value) {
  if (missing(value)) return NONE;
  let size = value;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (size < 1000) return `${digits(size)} ${unit}`;
    size /= 1000;
  }
  return `${digits(size)} TB`;
}

/** Rounded down: 100 % only when all is done. */
export const percent = (part, all) => (all ? `${Math.floor((100 * part) / all)} %` : NONE);

export function clock(iso) {
  const date = new Date(iso);
  if (!iso || Number.isNaN(date.getTime())) return NONE;
  const today = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return today ? time : `${date.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

/** The last part of a path. */
export const base = (path) => String(path ?? "").split("/").filter(Boolean).pop() ?? "";

export const words = (name) => String(name).replaceAll("_", " ");

export const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

/**
 * A figure of the summary: shown as `text`, with its exact value in the markup and as a hint.
 * `name` is its path in the JSON of `--summary`.
 */
export function figure(name, value, text, unit = "") {
  const exact = missing(value) ? "" : String(value);
  const hint = exact && exact !== text ? `${exact}${unit && ` ${unit}`}` : null;
  return h("data", { value: exact, "data-figure": name, title: hint }, text);
}

const missing = (value) => value === null || value === undefined || Number.isNaN(value);
