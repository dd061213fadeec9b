// The dialog that makes files of the pages: for this computer, or for a target that the owner of the service has set up.

import { button, byId, dialog, el, icon } from "./dom.js";
import { locale, t } from "./i18n.js";
import { barrier, failed, toast } from "./notices.js";
import * as service from "./service.js";
import { Working } from "./working.js";

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
  #opening = false;

  constructor(pages, features) {
    Object.assign(this, { pages, features });
  }

  async open() {
    if (this.#opening || this.root?.isConnected) return;
    this.#opening = true;
    const targets = await service.targets().catch(() => []); // without them there is still this computer
    this.#opening = false;
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    const formats = Object.keys(ENDINGS).filter((each) => this.features.ocr || !NEED_OCR.includes(each));
    const format = formats.includes(kept.format) ? kept.format : "pdf";
    const name = el("input", { type: "text", name: "name", value: byId("name").value || usualName(), maxLength: 120, required: true, autocomplete: "off" });
    this.place = el("div", { className: "place", hidden: true });
    const form = el(
      "form",
      { method: "dialog", className: "save" },
      field("documentName", name),
      el("fieldset", { className: "field" }, el("legend", { textContent: t("format") }), el("div", { className: "cards" }, ...formats.map((each) => card(each, each === format)))),
      this.#which(),
      el("div", { className: "pair" }, this.#quality(kept.quality ?? "normal"), this.#where(targets, kept.where)),
      el("section", { className: "problem", hidden: true, aria: { role: "alert" } }),
      this.place,
      this.#buttons(),
    );
    form.addEventListener("change", () => this.#label(form));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin(new FormData(form));
    });
    this.root = dialog({ title: t("saveTitle"), className: "form" }, form);
    this.root.addEventListener("close", () => this.working?.stop());
    this.#label(form);
    name.select();
  }

  /** Which pages; nobody has to be asked where there is no choice. */
  #which() {
    const scopes = this.#scopes();
    const choice = el("div", { className: "segments" }, ...scopes);
    return el("fieldset", { className: "field", hidden: scopes.length < 2 }, el("legend", { textContent: t("which") }), choice);
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
    return field("quality", el("select", { name: "quality" }, ...options));
  }

  #where(targets, chosen) {
    if (!targets.length) return null;
    const options = targets.map((each) => el("option", { value: each, textContent: each, selected: each === chosen }));
    return field("where", el("select", { name: "where" }, el("option", { value: "", textContent: t("here") }), ...options));
  }

  #buttons() {
    this.go = button({ glyph: "save", text: t("save"), className: "primary", type: "submit" });
    const leave = button({ text: t("cancel"), on: { click: () => this.root.close() } });
    this.buttons = el("div", { className: "buttons" }, this.go, leave);
    return this.buttons;
  }

  #label(form) {
    const what = form.elements.where?.value ? "send" : "save";
    this.go.replaceChildren(icon(what), el("span", { textContent: t(what) }));
  }

  #begin(data) {
    const [format, quality, target] = [data.get("format"), data.get("quality"), data.get("where") ?? ""];
    const name = data.get("name").trim();
    localStorage.setItem(KEPT, JSON.stringify({ format, quality, where: target }));
    byId("name").value = name;
    byId("name").dispatchEvent(new Event("change"));
    const parts = this.#parts(data.get("which"), format);
    const files = parts.map((part, at) => ({ part, title: parts.length > 1 ? `${name} ${at + 1}` : name, delivery: newId() }));
    return this.#make({ files, format, quality, target, done: [] });
  }

  /** Make the files that are left; after an error the rest of them when it is tried again. */
  async #make(work) {
    const working = (this.working = new Working(t("saving")));
    this.place.replaceChildren(working.root);
    this.#busy(true);
    try {
      for (const each of work.files.slice(work.done.length)) work.done.push(await barrier(() => this.#file(each, work, working)));
      this.root.close();
      toast(told(work));
    } catch (error) {
      this.#busy(false);
      if (this.root.isConnected) failed(error, () => this.#make(work));
    }
  }

  #busy(yes) {
    this.place.hidden = !yes;
    this.buttons.hidden = yes;
    this.root.querySelector(".problem").hidden = true;
    for (const each of this.root.querySelectorAll("fieldset")) each.disabled = yes;
    (yes ? this.place.querySelector("button") : this.go).focus();
  }

  /** One file, saved or sent. */
  async #file({ part, title, delivery }, { format, quality, target }, working) {
    const { signal } = working;
    const last = target ? t("sendingTo", { name: target }) : t("saving");
    const onProgress = ({ page, pages }) => (page < pages ? working.tell(t("readingPage", { n: page + 1, all: pages }), page / pages) : working.tell(last));
    const wanted = { format, quality, title };
    if (target) return service.send(part, wanted, { target, delivery, name: fileName(title), onProgress, signal });
    const file = `${fileName(title)}.${ENDINGS[format]}`;
    download(await service.save(part, wanted, { onProgress, signal }), file);
    return file;
  }

  /** The pages of each file. */
  #parts(which, format) {
    const { list, selected, documents } = this.pages;
    const chosen = which === "selected" ? list.filter((page) => selected.has(page.id)) : list;
    if (SINGLE.includes(format)) return chosen.map((page) => [page]);
    return which === "documents" ? documents : [chosen];
  }
}

const newId = () => crypto.randomUUID().replaceAll("-", "");

/** What became of the files, in words. */
function told({ done, target }) {
  const n = done.length;
  if (!target) return n > 1 ? t("savedFiles", { n }) : t("saved", { name: done[0] });
  if (n > 1) return t("sentFiles", { n, name: target });
  return t(done[0].already_there ? "sentAlready" : "sent", { name: target, where: done[0].location });
}

const field = (key, input) => el("label", { className: "field" }, el("span", { textContent: t(key) }), input);

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
