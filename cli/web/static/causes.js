// What a cause means, in the words of the command line.

import { words } from "./format.js";

const CAUSES = {
  rate_limited: "the server allows no more requests for now",
  overloaded: "the server is in trouble",
  connection_failed: "the server could not be reached",
  stream_broken: "the answer broke off",
  stalled: "the answer stopped coming",
  timeout: "the request took too long",
  malformed_response: "the answer is not what the server's wire format promises",
  error_in_stream: "the server reported an error within its answer",
  bad_request: "the server does not take this request",
  context_too_long: "the prompt is longer than the model can read",
  refused: "the model or its provider refused",
  filtered: "the provider's filter took the answer away",
  partial: "the answer broke off, and every retry with it",
  truncated: "the answer was cut at its length limit",
  not_found: "the server knows no such model or address",
  too_large: "the request is larger than all of the tokens a minute",
  unpriced: "its model has no price, and the job a limit in USD",
  unbounded: "nobody knows how long its answer may be, and the job has a limit",
  invalid_output: "the answer does not fit the schema",
  empty_answer: "the answer has no text",
  auth_failed: "the key is refused",
  quota_exhausted: "the account is out of credit or quota",
  untrusted: "the server's TLS certificate is not trusted",
  invalid_row: "the row can't be sent",
  duplicate_id: "the id of the row is used twice",
};

export const cause = (name) => (Object.hasOwn(CAUSES, name) ? CAUSES[name] : words(name));

const GOOD = new Set(["ok", "truncated"]);

/** How a status is shown: good, warn or bad, and never by its colour alone. */
export function tone(status) {
  if (status === "ok" || status === "finished") return "good";
  return GOOD.has(status) || status === "running" || status === "stopped" ? "warn" : "bad";
}
