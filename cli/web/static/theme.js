// Before anything is drawn, so that the page does not change its colours while it opens.
"use strict";
(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("theme");
  } catch { /* a browser that keeps nothing */ }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
