// The dialog that saves the pages as a file.

import { button, byId, dialog, el } from "./dom.js";
import { locale, t } from "./i18n.js";
import { barrier, failed, toast } from "./notices.js";
import * as service from "./service.js";

const ENDINGS = { pdf: "pdf", searchable: "pdf", pdfa: "pdf", tiff: "tif", jpeg: "jpg", png: "png" };
const SINGLE = ["jpeg", "png"]; // one file for each page
const NEED_OCR = ["searchable", "pdfa"];
const KEPT = "dwtsvc.save";

export function usualName() {
  const date = new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(new Date());
  return t("usualName", { date: date.replaceAll(":", ".") });
}

/** A name that every system takes for a file. */
const fileName = (text) => text.replace(/[\\/:*?"<>|\p{Cc}]+/gu, "-").replace(/^[. ]+|[. ]+$/g, "").slice(0, 120) || "scan";

export class Saver {
  constructor(pages, features) {
    Object.assign(this, { pages, features });
  }

  open() {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    const formats = Object.keys(ENDINGS).filter((each) => this.features.ocr || !NEED_OCR.includes(each));
    const format = formats.includes(kept.format) ? kept.format : "pdf";
    const name = el("input", { type: "text", name: "name", value: byId("name").value || usualName(), maxLength: 120, required: true, autocomplete: "off" });
    const form = el(
      "form",
      { method: "dialog", className: "save" },
      el("label", { className: "field" }, el("span", { textContent: t("documentName") }), name),
      el("fieldset", { className: "field" }, el("legend", { textContent: t("format") }), el("div", { className: "cards" }, ...formats.map((each) => card(each, each === format)))),
      el("fieldset", { className: "field" }, el("legend", { textContent: t("which") }), el("div", { className: "segments" }, ...this.#scopes())),
      this.#quality(kept.quality ?? "normal"),
      el("section", { className: "problem", hidden: true, aria: { role: "alert" } }),
      this.#buttons(),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(new FormData(form));
    });
    this.root = dialog({ title: t("saveTitle"), className: "form" }, form);
    name.select();
  }

  #scopes() {
    const { list, selected, documents } = this.pages;
    const all = [["all", "whichAll", list.length]];
    if (selected.size && selected.size < list.length) all.push(["selected", "whichSelected", selected.size]);
    if (documents.length > 1) all.push(["documents", "whichDocuments", documents.length]);
    const preferred = documents.length > 1 ? "documents" : "all";
    return all.map(([value, key, n]) =>
      el("label", {}, el("input", { type: "radio", name: "which", value, checked: value === preferred }), el("span", { textContent: t(key, { n }) })),
    );
  }

  #quality(chosen) {
    const options = ["small", "normal", "best"].map((each) => el("option", { value: each, textContent: t(each), selected: each === chosen }));
    return el("label", { className: "field" }, el("span", { textContent: t("quality") }), el("select", { name: "quality" }, ...options));
  }

  #buttons() {
    this.go = button({ glyph: "save", text: t("save"), className: "primary", type: "submit" });
    const leave = button({ text: t("cancel"), on: { click: () => this.root.close() } });
    return el("div", { className: "buttons" }, this.go, leave);
  }

  async #save(data) {
    const [format, quality, name] = [data.get("format"), data.get("quality"), data.get("name").trim()];
    localStorage.setItem(KEPT, JSON.stringify({ format, quality }));
    byId("name").value = name;
    byId("name").dispatchEvent(new Event("change"));
    const parts = this.#parts(data.get("which"), format);
    this.go.disabled = true;
    this.go.lastChild.textContent = t("saving");
    try {
      for (const [at, part] of parts.entries()) {
        const title = parts.length > 1 ? `${name} ${at + 1}` : name;
        const blob = await barrier(() => service.save(part, { format, quality, title }));
        download(blob, `${fileName(title)}.${ENDINGS[format]}`);
      }
      this.root.close();
      toast(parts.length > 1 ? t("savedFiles", { n: parts.length }) : t("saved", { name: `${fileName(name)}.${ENDINGS[format]}` }));
    } catch (error) {
      failed(error, () => this.#save(data));
      this.go.disabled = false;
      this.go.lastChild.textContent = t("save");
    }
  }

  /** The pages of each file. */
  #parts(which, format) {
    const { list, selected, documents } = this.pages;
    const chosen = which === "selected" ? list.filter((page) => selected.has(page.id)) : list;
    if (SINGLE.includes(format)) return chosen.map((page) => [page]);
    return which === "documents" ? documents : [chosen];
  }
}

function card(format, checked) {
  return el(
    "label",
    { className: "card" },
    el("input", { type: "radio", name: "format", value: format, checked }),
    el("span", { className: "name", textContent: t(format) }),
    el("span", { className: "hint", textContent: t(`${format}Hint`) }),
  );
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = el("a", { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
