// How elements are made and named. Whatever comes from the service or a file is text here, never markup.

import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An element with properties, `data` for data-*, `aria` for aria-*, `on` for listeners, and what is in it. */
export function el(name, { data = {}, aria = {}, on = {}, ...rest } = {}, ...inside) {
  const made = document.createElement(name);
  Object.assign(made, rest);
  Object.assign(made.dataset, data);
  for (const [key, value] of Object.entries(aria)) made.setAttribute(key === "role" ? "role" : `aria-${key}`, value);
  for (const [key, value] of Object.entries(on)) made.addEventListener(key, value);
  made.append(...inside.filter((each) => each !== null && each !== undefined));
  return made;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `/scan/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A button with an icon; with `label` the text is for screen readers and the tooltip only. */
export function button({ glyph, text, label, className = "", ...rest }) {
  const named = label ? { title: label, aria: { label } } : {};
  const made = el("button", { type: "button", className: `${className}${label ? " icon" : ""}`, ...named, ...rest });
  if (glyph) made.append(icon(glyph));
  if (text) made.append(el("span", { textContent: text }));
  return made;
}

/** Fill in the texts and icons that the page's own markup asks for; again after the language was changed. */
export function fill(root = document) {
  for (const each of root.querySelectorAll("[data-t]")) {
    const glyph = each.dataset.icon ? [icon(each.dataset.icon)] : [];
    if (each.tagName === "BUTTON") each.replaceChildren(...glyph, el("span", { textContent: t(each.dataset.t) }));
    else each.textContent = t(each.dataset.t);
  }
  for (const each of root.querySelectorAll("[data-label]")) {
    each.setAttribute("aria-label", t(each.dataset.label));
    if (each.matches("button, a")) each.title = t(each.dataset.label);
  }
  for (const each of root.querySelectorAll("button[data-icon]:not([data-t])")) each.replaceChildren(icon(each.dataset.icon));
}

/** A dialog with a heading and a close button; it is gone from the document when it closes. */
export function dialog({ title, className = "" }, ...inside) {
  const heading = el("h2", { textContent: title, id: `heading-${crypto.randomUUID()}` });
  const shut = button({ glyph: "close", label: t("close"), className: "quiet", on: { click: () => made.close() } });
  const made = el("dialog", { className, aria: { labelledby: heading.id } }, el("header", {}, heading, shut), ...inside);
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  return made;
}

export const formatted = (number) => new Intl.NumberFormat(document.documentElement.lang).format(number);
