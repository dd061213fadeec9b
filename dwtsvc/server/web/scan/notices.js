// What the page says: to screen readers, in the bar at the bottom, and what went wrong with what to do about it.

import { button, byId, el, icon } from "./dom.js";
import { explained, t } from "./i18n.js";

const STAYS = 12_000; // milliseconds that a notice with an undo is there; without one half of it
let timer = 0;
let working = 0;

/** Say something to who cannot see, and with `shown` to all. */
export function say(text, { shown = false } = {}) {
  byId("said").textContent = text;
  if (shown) toast(text);
}

function rest(undo) {
  clearTimeout(timer);
  timer = setTimeout(hide, undo ? STAYS : STAYS / 2);
}

function hide() {
  const bar = byId("toast");
  if (bar.contains(document.activeElement) || bar.matches(":hover")) return rest(false); // somebody is about to use it
  bar.hidden = true;
}

/** A notice at the bottom, with a button that takes back what was done. */
export function toast(text, undo = null) {
  byId("said").textContent = text;
  byId("toast-text").textContent = text;
  byId("toast-undo").hidden = !undo;
  byId("toast-undo").onclick = () => {
    byId("toast").hidden = true;
    byId("pages").focus();
    undo?.();
  };
  byId("toast").hidden = false;
  rest(undo);
}

export function quiet() {
  byId("problem").hidden = true;
}

/** Tell what went wrong, what to do, and offer to do it again. False, so that it can end a promise. */
export function failed(error, again = null) {
  if (error.name === "AbortError") return false;
  if (!error.code) console.error(error); // a fault of our own: with its trace
  const { what, hint } = explained(error);
  const more = hint ? el("p", { textContent: hint }) : null;
  const shut = button({ glyph: "close", label: t("close"), className: "quiet", on: { click: quiet } });
  const retry = again && button({ glyph: "refresh", text: t("retry"), data: { retry: "" }, on: { click: () => (quiet(), again()) } });
  const problem = document.querySelector("dialog[open] .problem") ?? byId("problem");
  problem.replaceChildren(icon("warn"), el("div", {}, el("p", { className: "what", textContent: what }), more), ...(retry ? [retry] : []), shut);
  shut.addEventListener("click", () => (problem.hidden = true));
  problem.dataset.word = error.code ?? "";
  problem.hidden = false;
  return false;
}

/** Show that the page is at work while something takes its time. */
export async function barrier(work) {
  working += 1;
  document.documentElement.toggleAttribute("data-busy", true);
  try {
    return await work();
  } finally {
    working -= 1;
    document.documentElement.toggleAttribute("data-busy", working > 0);
  }
}

byId("toast-close").addEventListener("click", () => {
  byId("toast").hidden = true;
  byId("pages").focus();
});
