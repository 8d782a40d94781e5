// Elements made of plain values. Nothing here, or anywhere in the page, parses markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; attributes that are null or false are left out, `onclick` and the like listen. */
export function h(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Set the text of an element, and leave it alone (with the user's selection) where it is right. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Build the children anew only where what they are made of has changed; the focus stays. */
export function refresh(element, made, build) {
  const key = JSON.stringify(made);
  if (element.madeOf === key) return;
  element.madeOf = key;
  const within = element !== document.activeElement && element.contains(document.activeElement);
  const active = within ? document.activeElement : null;
  const built = build();
  element.replaceChildren(...[built].flat(2).filter((child) => child !== null && child !== undefined));
  if (!active) return;
  const same = (one) => one === active || nameOf(one) === nameOf(active);
  [...element.querySelectorAll(active.tagName)].find(same)?.focus({ preventScroll: true });
}

const nameOf = (element) => element.getAttribute("aria-label") ?? element.getAttribute("href") ?? element.textContent;

/** For screen readers alone: something that happened and is worth an interruption. */
export function announce(text) {
  const said = byId("said");
  said.textContent = "";
  requestAnimationFrame(() => { said.textContent = text; });
}

/** A button that copies what `text` gives when it is pressed, and says so. */
export function copyButton(label, text) {
  const button = h("button", { type: "button", class: "quiet small", onclick: copy }, label);
  async function copy() {
    let told = "Copied";
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      told = "The browser does not allow it";
    }
    button.textContent = told;
    announce(told);
    setTimeout(() => { button.textContent = label; }, 1500);
  }
  return button;
}

/** Hand `text` to the user as a file. */
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
