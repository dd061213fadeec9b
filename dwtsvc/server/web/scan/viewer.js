// One page, large: look closely, turn, crop, erase, brighten, and read what is on it.

import { Area } from "./area.js";
import { button, dialog, el } from "./dom.js";
import { t } from "./i18n.js";
import { say } from "./notices.js";
import { imageUrl } from "./service.js";
import { contentPanel } from "./reading.js";

const ZOOMS = [1, 1.5, 2, 3, 4];
const SMALL = 320; // pixels

export class Viewer {
  #zoom = 0;
  #area = null;
  #panel = null;
  #reading = null;

  constructor(pages, actions, features) {
    Object.assign(this, { pages, actions, features });
    pages.addEventListener("change", () => this.root?.isConnected && this.#show());
    actions.addEventListener("change", () => this.root?.isConnected && this.#enable());
  }

  open(id) {
    this.id = id;
    this.#zoom = 0;
    this.#area = this.#panel = null;
    this.image = el("img", { alt: "", draggable: false });
    this.holder = el("div", { className: "holder" }, this.image);
    this.side = el("aside", { className: "side", hidden: true });
    this.bar = el("div", { className: "bar", aria: { role: "toolbar", label: t("tools") } }, ...this.#tools());
    const problem = el("section", { className: "problem", hidden: true, aria: { role: "alert" } });
    this.view = el("div", { className: "view", tabIndex: 0, aria: { role: "region" } }, this.holder);
    const body = el("div", { className: "body" }, this.view, this.side);
    this.root = dialog({ title: "", className: "viewer" }, this.bar, problem, body);
    this.heading = this.root.querySelector("h2");
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.root.addEventListener("close", () => {
      this.#reading?.abort();
      this.closed?.(this.id);
    });
    new ResizeObserver(() => this.#size()).observe(this.view);
    this.#show();
    this.view.focus();
  }

  get page() {
    return this.pages.list.find((page) => page.id === this.id);
  }

  #tools() {
    const tool = (glyph, label, click, name = label) => button({ glyph, label: t(label), data: { tool: name }, on: { click } });
    const gap = () => el("span", { className: "gap" });
    const one = () => [this.id];
    return [
      tool("earlier", "previous", () => this.#go(-1)),
      tool("later", "next", () => this.#go(1)),
      gap(),
      tool("left", "left", () => this.actions.rotate(-90, one())),
      tool("right", "right", () => this.actions.rotate(90, one())),
      tool("over", "over", () => this.actions.rotate(180, one())),
      tool("deskew", "deskew", () => this.actions.deskew(one())),
      gap(),
      tool("crop", "crop", () => this.#toggle("crop")),
      tool("erase", "erase", () => this.#toggle("erase")),
      tool("light", "adjust", () => this.#toggle("adjust")),
      tool("text", "content", () => this.#toggle("content")),
      gap(),
      tool("far", "farther", () => this.#scale(-1)),
      tool("near", "nearer", () => this.#scale(1)),
      gap(),
      tool("undo", "undo", () => this.actions.undo()),
      tool("redo", "redo", () => this.actions.redo()),
      tool("bin", "remove", () => this.#remove()),
    ];
  }

  #enable() {
    const at = this.pages.at(this.id);
    const off = { previous: at <= 0, next: at >= this.pages.list.length - 1, undo: !this.actions.canUndo, redo: !this.actions.canRedo };
    off.farther = this.#zoom === 0;
    off.nearer = this.#zoom === ZOOMS.length - 1;
    for (const [name, value] of Object.entries(off)) {
      const tool = this.bar.querySelector(`[data-tool=${name}]`);
      tool.setAttribute("aria-disabled", value);
    }
    for (const name of ["crop", "erase", "adjust", "content"]) {
      this.bar.querySelector(`[data-tool=${name}]`).setAttribute("aria-pressed", this.#panel === name);
    }
  }

  #show() {
    const { page } = this;
    if (!page) return this.pages.list.length ? this.#to(0) : this.root.close();
    const where = t("pageOf", { n: this.pages.at(this.id) + 1, all: this.pages.list.length });
    this.heading.textContent = where;
    this.view.setAttribute("aria-label", where);
    this.image.alt = where;
    const shown = page.url;
    if (this.shown && this.shown !== shown) this.#toggle(this.#panel === "content" ? "content" : null, true);
    this.shown = shown;
    // A small one is there at once, and stays below the large one until that is.
    this.image.style.background = `center / 100% 100% url("${imageUrl(page, SMALL)}")`;
    this.#size();
    this.#enable();
  }

  /** Fit the image into the view, and ask for it as large as it is shown. */
  #size() {
    const { page } = this;
    if (!page) return;
    const [roomX, roomY] = [this.view.clientWidth - 32, this.view.clientHeight - 32];
    const scale = Math.min(roomX / page.width, roomY / page.height) * ZOOMS[this.#zoom];
    this.image.style.width = `${Math.max(40, page.width * scale)}px`;
    this.image.style.height = `${Math.max(40, page.height * scale)}px`;
    const wanted = Math.max(page.width, page.height) * scale * devicePixelRatio;
    const address = imageUrl(page, Math.max(600, Math.ceil(wanted / 400) * 400));
    if (this.image.getAttribute("src") !== address) this.image.src = address;
  }

  #to(index) {
    this.id = this.pages.list[Math.min(this.pages.list.length - 1, Math.max(0, index))].id;
    this.shown = "";
    this.#toggle(this.#panel === "content" ? "content" : null, true);
    this.#show();
  }

  #go(by) {
    const next = this.pages.at(this.id) + by;
    if (next >= 0 && next < this.pages.list.length) {
      this.#to(next);
      say(this.heading.textContent);
    }
  }

  #scale(by) {
    this.#zoom = Math.min(ZOOMS.length - 1, Math.max(0, this.#zoom + by));
    this.#size();
    this.#enable();
  }

  async #remove() {
    const at = this.pages.at(this.id);
    if ((await this.actions.remove([this.id])) && this.pages.list.length) this.#to(at);
  }

  #key(event) {
    if (event.target.matches("input, textarea, .area")) return;
    const act = { ArrowLeft: () => this.#go(-1), ArrowRight: () => this.#go(1), "+": () => this.#scale(1), "-": () => this.#scale(-1) };
    const zoomed = this.#zoom > 0 && event.key.startsWith("Arrow");
    if (act[event.key] && !zoomed && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      act[event.key]();
    }
  }

  /** Show the panel of a tool, or hide it. */
  #toggle(name, again = false) {
    this.#area?.remove();
    this.#area = null;
    this.#reading?.abort(); // nobody looks at what is read there
    this.image.style.filter = "";
    this.#panel = !again && name === this.#panel ? null : name;
    this.side.hidden = !this.#panel;
    this.side.replaceChildren();
    if (this.#panel) this.side.replaceChildren(...this[`_${this.#panel}`]());
    this.#enable();
    this.#size();
  }

  _crop() {
    return this.#framed("crop", { left: 0.08, top: 0.08, width: 0.84, height: 0.84 });
  }

  _erase() {
    return this.#framed("erase", { left: 0.3, top: 0.4, width: 0.4, height: 0.2 });
  }

  #framed(name, box) {
    const { page } = this;
    const inches = { width: page.width / page.dpi, height: page.height / page.dpi };
    this.#area = new Area(this.holder, this.image, inches, box);
    const act = () => this.actions[name](this.#area.pixels(page.width, page.height), [page.id]);
    return [el("h3", { textContent: t(name) }), el("p", { className: "hint", textContent: t("previewHint") }), this.#area.fields, this.#buttons(act)];
  }

  _adjust() {
    const show = () => (this.image.style.filter = `brightness(${1 + brightness.value / 100}) contrast(${1 + contrast.value / 100})`);
    const range = (key) => el("input", { type: "range", min: -80, max: 80, value: 0, step: 5, id: `adjust-${key}`, on: { input: show } });
    const [brightness, contrast] = [range("brightness"), range("contrast")];
    const field = (key, input) => el("label", { className: "field" }, el("span", { textContent: t(key) }), input);
    const act = () => this.actions.adjust(Number(brightness.value), Number(contrast.value), [this.id]);
    return [el("h3", { textContent: t("adjust") }), field("brightness", brightness), field("contrast", contrast), this.#buttons(act)];
  }

  _content() {
    this.#reading = new AbortController();
    return contentPanel(this.page, this.features, this.#reading.signal);
  }

  #buttons(act) {
    const apply = button({ glyph: "check", text: t("apply"), className: "primary", on: { click: () => act() } });
    const leave = button({ text: t("cancel"), on: { click: () => this.#toggle(null) } });
    return el("div", { className: "buttons" }, apply, leave);
  }
}

