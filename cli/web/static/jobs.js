// The view of jobs: all of them on the left, one of them on the right (or below each other).

import { load } from "./connection.js";
import { announce, h, refresh } from "./dom.js";
import { base, clock, count, money, percent } from "./format.js";
import { Job } from "./job.js";
import { visible } from "./plain.js";

const WIDE = matchMedia("(min-width: 62rem)");
const STATES = { running: "Running", finished: "Finished", stopped: "Stopped", gone: "Gone" };

export class Jobs {
  constructor(root, connection) {
    this.root = root;
    this.connection = connection;
    this.jobs = null;
    this.chosen = null;
    this.shown = null;
    this.frames = new Map();
    this.links = new Map();
    this.list = h("ul", { class: "joblist" });
    this.empty = h("div", { class: "empty" }, h("p", {}, "Looking for jobs…"));
    this.job = new Job();
    this.back = h("a", { class: "back", href: "#/jobs" }, "← All jobs");
    this.detail = h("div", { class: "detail", hidden: true }, this.back, this.job.element);
    this.side = h("div", { class: "side" }, h("h1", { id: "jobs-title", tabindex: "-1" }, "Jobs"), this.list, this.empty);
    root.append(h("div", { class: "split" }, this.side, this.detail));
    connection.on("jobs", ({ jobs }) => this.listed(jobs));
    connection.on("job", (job) => this.frame(job));
    connection.on("chunk", (chunk) => this.watched(chunk) && this.job.answers.chunk(chunk));
    connection.on("done", (done) => this.watched(done) && this.job.answers.done(done));
    connection.addEventListener("state", ({ detail }) => {
      if (detail.state === "live") this.watch(true);
    });
    WIDE.addEventListener("change", () => this.choose());
  }

  title() {
    const job = this.jobs?.find((one) => one.job === this.chosen);
    return job ? `${base(job.output)} – Jobs` : "Jobs";
  }

  open({ path }) {
    this.chosen = path[0] ?? null;
    this.choose();
    if (this.chosen && this.shown && !WIDE.matches) this.job.name.focus({ preventScroll: true }); // the list is gone
  }

  close() {}

  listed(jobs) {
    const order = (job) => (job.state === "running" ? 0 : 1);
    const before = this.jobs;
    this.jobs = [...jobs].sort((one, other) => order(one) - order(other)
      || String(other.ended_at ?? other.started_at).localeCompare(String(one.ended_at ?? one.started_at)));
    for (const job of this.jobs) {
      const was = before?.find((one) => one.job === job.job);
      if (was?.state === "running" && job.state !== "running") announce(`${base(job.output)} has ${job.state === "finished" ? "finished" : "stopped"}`);
    }
    this.relist();
    this.empty.hidden = this.jobs.length > 0;
    if (!this.jobs.length) {
      refresh(this.empty, ["none"], () => [
        h("p", { class: "big" }, "No job is running here"),
        h("p", {}, "Start one in a terminal, and it appears by itself:"),
        h("pre", { tabindex: "0" }, "llmbatch run prompts.jsonl"),
        h("p", {}, "Results of earlier jobs in this folder are listed here, too."),
      ]);
    }
    this.choose();
  }

  /** The list as it is now; a link that is there stays the same one, and keeps the focus. */
  relist() {
    const before = this.links;
    const link = ({ job }) => before.get(job) ?? h("a", { href: `#/jobs/${encodeURIComponent(job)}` });
    this.links = new Map(this.jobs.map((job) => [job.job, link(job)]));
    for (const job of this.jobs) {
      const shown = this.links.get(job.job);
      refresh(shown, job, () => entry(job));
      shown.title = visible(job.output);
      if (job.job === this.shown) shown.setAttribute("aria-current", "true");
      else shown.removeAttribute("aria-current");
    }
    refresh(this.list, [...this.links.keys()], () => [...this.links.values()].map((each) => h("li", {}, each)));
  }

  /** Show the chosen job; on a wide page the first one where none is chosen. */
  choose() {
    const known = this.jobs ?? [];
    const job = this.chosen ? known.find((one) => one.job === this.chosen) : WIDE.matches ? known[0] : null;
    this.root.classList.toggle("one", Boolean(this.chosen && job));
    this.detail.hidden = !job;
    const id = job?.job ?? null;
    if (id !== this.shown) {
      this.shown = id;
      if (this.jobs) this.relist();
      if (job) this.job.start(this.frames.get(id) ?? job);
      this.watch(true);
    }
    if (!job) return;
    if (job.state !== "running" && job.file) this.fill(job);
  }

  watched = (message) => message.job !== undefined && message.job === this.shown;

  watch(anew) {
    if (anew && this.jobs !== null) this.connection.send({ type: "watch", job: this.shown });
  }

  frame(job) {
    const listed = this.jobs?.find((one) => one.job === job.job);
    this.frames.set(job.job, { ...this.frames.get(job.job), ...job, file: listed?.file ?? null });
    if (this.frames.size > 20) this.frames.delete(this.frames.keys().next().value);
    if (job.job === this.shown) this.job.show(this.frames.get(job.job));
  }

  /** What the files say of a job that is over; once. */
  async fill(job) {
    const had = this.frames.get(job.job);
    if (had?.filled || had?.filling) return;
    const frame = { ...job, ...had, state: job.state, file: job.file, filling: true };
    this.frames.set(job.job, frame);
    if (this.shown === job.job) this.job.show(frame);
    const [manifest, report] = await Promise.allSettled([
      load("api/job", { file: job.file }), load("api/report", { file: job.file }),
    ]);
    const now = this.frames.get(job.job) ?? frame; // its last message may have come meanwhile
    Object.assign(now, fromFiles(now, manifest.value?.manifest, report.value), {
      filled: manifest.status === "fulfilled" || report.status === "fulfilled", filling: false,
    });
    if (this.shown === job.job) this.job.show(now);
  }
}

/** What the list says of a job. */
function entry(job) {
  const running = job.state === "running";
  const tone = running ? "running" : job.state === "finished" ? "" : "bad";
  const strip = h("span", { class: "strip", "aria-hidden": "true" }, h("span", { class: `fill ${running ? "now" : ""}` }));
  strip.firstChild.style.width = job.total ? `${(100 * (job.done ?? 0)) / job.total}%` : "0";
  const facts = [job.total ? `${count(job.done)} of ${count(job.total)}` : `${count(job.done)} rows`];
  if (job.failed) facts.push(`${count(job.failed)} failed`);
  if (typeof job.cost_usd === "number" && job.cost_usd > 0) facts.push(money(job.cost_usd));
  return [
    h("span", { class: "first" }, h("bdi", { class: "name" }, visible(base(job.output) || job.command)),
      h("span", { class: `state ${tone}` }, running && job.total ? percent(job.done, job.total) : STATES[job.state] ?? job.state)),
    job.total ? strip : null,
    h("span", { class: "second" }, h("span", {}, facts.join(" · ")), h("span", {}, clock(job.ended_at ?? job.started_at))),
  ];
}

/** A frame of what is beside an output: its manifest, and the report of it. */
function fromFiles(frame, manifest, report) {
  return {
    summary: frame.summary ?? manifest?.summary ?? report?.figures ?? null,
    inputs: frame.inputs ?? manifest?.inputs?.map((input) => input.path) ?? [],
    command: frame.command ?? manifest?.job,
    timeline: frame.timeline ?? report?.timeline ?? null,
    histograms: frame.histograms ?? report?.histograms ?? {},
    notices: frame.notices ?? [],
  };
}
