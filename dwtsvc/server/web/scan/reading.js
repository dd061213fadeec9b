// What is written on a page, beside its image: text and barcodes, to look at and to copy.

import { button, el } from "./dom.js";
import { t } from "./i18n.js";
import { failed, say } from "./notices.js";
import * as service from "./service.js";
import { Working } from "./working.js";

async function copied(text) {
  await navigator.clipboard.writeText(text);
  say(t("copied"), { shown: true });
}

const copy = (text) => button({ glyph: "copy", text: t("copy"), className: "small", on: { click: () => copied(text) } });
const line = (text) => el("p", { className: "hint", textContent: text });

/** The parts of the panel; they are filled when the service has read the page. The signal ends that. */
export function contentPanel(page, features, signal) {
  const text = el("div", { className: "found" });
  const codes = el("div", { className: "found" });
  if (features.ocr) fill(text, (ended) => service.text(page, ended), texts, signal);
  else text.replaceChildren(line(t("noOcr")));
  fill(codes, (ended) => service.barcodes(page, ended), barcodes, signal);
  return [el("h3", { textContent: t("textOf") }), text, el("h3", { textContent: t("barcodes") }), codes];
}

async function fill(place, ask, shown, signal) {
  const working = new Working(t("reading"));
  const again = () => button({ glyph: "refresh", text: t("readNow"), className: "small", on: { click: () => fill(place, ask, shown, signal) } });
  signal.addEventListener("abort", () => working.stop());
  place.replaceChildren(working.root);
  try {
    place.replaceChildren(...shown(await ask(working.signal)));
  } catch (error) {
    if (signal.aborted) return;
    place.replaceChildren(...(working.signal.aborted ? [line(t("stopped"))] : []), again());
    if (!working.signal.aborted) failed(error);
  }
}

function texts(found) {
  if (!found.trim()) return [line(t("noText"))];
  const box = el("textarea", { readOnly: true, value: found, rows: 14, aria: { label: t("textOf") } });
  return [box, copy(found)];
}

function barcodes(found) {
  if (!found.length) return [line(t("noBarcodes"))];
  const items = found.map((code) =>
    el("li", {}, el("span", { className: "badge", textContent: code.type }), el("code", { textContent: code.text }), copy(code.text)),
  );
  return [el("ul", { className: "codes" }, ...items)];
}
