// One line of Markdown as nodes: code, bold, italic, links. Whatever else it holds stays text.

import { h } from "./dom.js";
import { visible } from "./plain.js";

const MARKS = /(`{1,3})(?!`)|(\*\*|__)(?=\S)|(\*)(?=[^\s*])|!?\[/g;
const LINK = /^!?\[([^[\]\n]{0,500})\]\(([^()\s]{1,2000})\)/;

/** The nodes of `text`, in order. */
export function inline(text, depth = 0) {
  const nodes = [];
  let at = 0;
  MARKS.lastIndex = 0;
  for (const mark of depth < 3 ? [...text.matchAll(MARKS)] : []) {
    if (mark.index < at) continue;
    const found = marked(text, mark, depth);
    if (found === null) continue;
    if (mark.index > at) nodes.push(plain(text.slice(at, mark.index)));
    nodes.push(...found.nodes);
    at = found.end;
  }
  if (at < text.length) nodes.push(plain(text.slice(at)));
  return nodes;
}

const plain = (text) => document.createTextNode(visible(text));

function marked(text, mark, depth) {
  const [sign, code, bold, italic] = mark;
  const begin = mark.index + sign.length;
  if (!code && !bold && !italic) return link(text, mark.index);
  const end = text.indexOf(sign, begin);
  if (end <= begin) return null;
  const inner = text.slice(begin, end);
  if (code) return { nodes: [h("code", {}, visible(inner))], end: end + sign.length };
  if (/\s$/.test(inner)) return null;
  if (bold === "__" && /\w/.test(text[mark.index - 1] ?? "")) return null;
  const element = h(bold ? "strong" : "em", {}, inline(inner, depth + 1));
  return { nodes: [element], end: end + sign.length };
}

/** `[text](url)` with its URL to be seen; only http and https can be followed. */
function link(text, at) {
  const found = LINK.exec(text.slice(at, at + 2600));
  if (found === null) return null;
  const [all, label, url] = found;
  const shown = visible(url);
  const address = /^https?:\/\//i.test(url)
    ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, shown)
    : shown;
  const nodes = label === url ? [address] : [plain(label), " (", address, ")"];
  return { nodes, end: at + all.length };
}
