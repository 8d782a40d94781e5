// Text from elsewhere, made harmless to look at: what is invisible or moves other text is shown.

const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]|\r\n?/g;
const BLOCK = 8000;
const NAMES = (
  "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US"
).split(" ");

/** `text` with a name like ⟨ESC⟩ for each control character and each override of the direction. */
export const visible = (text) => String(text ?? "").replace(HIDDEN, symbol);

function symbol(found) {
  if (found === "\r\n") return "\n";
  const code = found.charCodeAt(0);
  return `⟨${NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`}⟩`;
}

/** On one line, for a cell. */
export const oneLine = (text) => visible(text).replace(/\s*\n\s*/g, " ↵ ").replace(/\t/g, " ");

/**
 * A long text as blocks that the browser lays out only when they are seen. They are cut at ends of
 * lines where there are any.
 */
export function* blocks(text) {
  const shown = visible(text);
  for (let at = 0; at < shown.length;) {
    let end = Math.min(shown.length, at + BLOCK);
    let skip = 0;
    if (end < shown.length) {
      const line = shown.lastIndexOf("\n", end);
      if (line > at) [end, skip] = [line, 1];
      else if (isHigh(shown.charCodeAt(end - 1))) end -= 1;
    }
    yield shown.slice(at, end);
    at = end + skip;
  }
}

const isHigh = (code) => code >= 0xd800 && code < 0xdc00;
