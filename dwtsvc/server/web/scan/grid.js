// The pages side by side. Only those near the view are in the document, and only their images are asked for.

import { byId, el, icon } from "./dom.js";
import { t } from "./i18n.js";
import { imageUrl } from "./service.js";

const NARROW = 130; // pixels that a cell has at least
const WIDE = 11.5; // the same on a larger screen, in the size of its type
const WIDEST = 16;
const SHAPE = 1.36; // height of a cell to its width
const GAP = 14;
const BEYOND = 1.0; // views above and below that are kept ready
const SIDES = [200, 320, 480, 720]; // pixels of images: few sizes, so that the service has them in memory
const FAST = 3; // views in a second, above which no image is asked for

export class Grid {
  #cells = new Map(); // id -> cell
  #spare = [];
  #columns = 1;
  #width = 0;
  #height = 0;
  #drawn = 0;
  #top = 0;
  #when = 0;
  #settled = 0;
  #stale = true;

  /** `open(id)` shows a page large. */
  constructor(pages, open) {
    this.pages = pages;
    this.open = open;
    this.root = byId("pages");
    pages.addEventListener("change", () => this.renew());
    pages.addEventListener("select", () => this.draw());
    document.addEventListener("scroll", () => this.#soon(), { capture: true, passive: true });
    new ResizeObserver(() => this.#resized()).observe(byId("stage"));
    window.addEventListener("resize", () => this.#resized());
    this.root.addEventListener("dblclick", (event) => this.#opened(event));
  }

  get columns() {
    return this.#columns;
  }

  #resized() {
    this.#stale = true;
    this.#soon();
  }

  /** Draw what is there now, when other pages are shown. */
  renew() {
    this.#stale = true;
    this.draw();
  }

  #soon() {
    this.#drawn ||= requestAnimationFrame(() => this.draw());
  }

  #opened(event) {
    const id = this.idAt(event.target);
    if (id && !event.target.closest(".mark")) this.open(id);
  }

  idAt(target) {
    return target.closest?.("[role=option]")?.dataset.id ?? null;
  }

  /** Where a place from 0 lies, in pixels of the grid. */
  place(index) {
    const row = Math.floor(index / this.#columns);
    return { x: (index % this.#columns) * (this.#width + GAP), y: row * (this.#height + GAP), width: this.#width, height: this.#height };
  }

  /** The gap between pages that is nearest to a point of the window: the index of the page behind it. */
  gapAt(x, y) {
    const box = this.root.getBoundingClientRect();
    const row = Math.max(0, Math.floor((y - box.top) / (this.#height + GAP)));
    const column = Math.min(this.#columns, Math.max(0, Math.round((x - box.left) / (this.#width + GAP))));
    return Math.min(this.pages.list.length, row * this.#columns + column);
  }

  /** Work out the cells anew where something they depend on is another. */
  #measure() {
    if (!this.#stale) return;
    this.#stale = false;
    const room = this.root.clientWidth;
    const type = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const least = room < 500 ? NARROW : WIDE * type;
    this.#columns = Math.max(1, Math.floor((room + GAP) / (least + GAP)));
    this.#width = Math.floor((room - GAP * (this.#columns - 1)) / this.#columns);
    if (room >= 500) this.#width = Math.min(this.#width, Math.round(WIDEST * type));
    this.#height = Math.floor(this.#width * SHAPE) + 30;
    const rows = Math.ceil(this.pages.list.length / this.#columns);
    const height = `${Math.max(0, rows * (this.#height + GAP) - GAP)}px`;
    if (this.root.style.height !== height) this.root.style.height = height;
    const side = Math.max(this.#width, this.#height) * devicePixelRatio;
    this.side = SIDES.find((each) => each >= side * 0.9) ?? SIDES.at(-1);
  }

  /** First and last index that are to be in the document. */
  #range(top) {
    const view = window.innerHeight;
    const step = this.#height + GAP;
    const from = Math.floor((-top - view * BEYOND) / step);
    const to = Math.ceil((-top + view * (1 + BEYOND)) / step);
    return [Math.max(0, from * this.#columns), Math.min(this.pages.list.length, to * this.#columns)];
  }

  #isFast(top) {
    const now = performance.now();
    const speed = Math.abs(top - this.#top) / window.innerHeight / Math.max((now - this.#when) / 1000, 0.016);
    [this.#top, this.#when] = [top, now];
    clearTimeout(this.#settled);
    if (speed <= FAST) return false;
    this.#settled = setTimeout(() => this.draw(), 90);
    return true;
  }

  draw() {
    cancelAnimationFrame(this.#drawn);
    this.#drawn = 0;
    const { list } = this.pages;
    if (this.root.hidden === list.length > 0) this.root.hidden = !list.length;
    this.#measure();
    const { top } = this.root.getBoundingClientRect(); // before anything is written, so that nothing is laid out twice
    const fast = this.#isFast(top);
    const [from, to] = this.#range(top);
    const near = new Set(list.slice(from, to).map((page) => page.id));
    for (const [id, cell] of this.#cells) if (!near.has(id)) this.#drop(id, cell);
    for (let index = from; index < to; index += 1) this.#show(list[index], index, fast);
    this.#point();
  }

  #drop(id, cell) {
    this.#cells.delete(id);
    cell.image.removeAttribute("src"); // an image that is still on its way is not needed any more
    cell.address = "";
    cell.root.remove();
    if (this.#spare.length < 60) this.#spare.push(cell);
  }

  #show(page, index, fast) {
    let cell = this.#cells.get(page.id);
    if (!cell) {
      cell = this.#spare.pop() ?? made();
      this.#cells.set(page.id, cell);
      cell.root.dataset.id = page.id;
      cell.root.id = `page-${page.id}`;
      this.root.append(cell.root);
    }
    this.#describe(cell, page, index);
    const address = imageUrl(page, this.side);
    if (cell.address !== address && !fast) cell.image.src = cell.address = address;
  }

  #describe(cell, page, index) {
    const { x, y, width, height } = this.place(index);
    const selected = this.pages.selected.has(page.id);
    const all = this.pages.list.length;
    const said = `${index}.${all}.${selected}.${page.id === this.pages.focus}.${page.begins}.${x}.${y}.${width}.${document.documentElement.lang}`;
    if (cell.said === said) return;
    cell.said = said;
    const { root } = cell;
    root.style.transform = `translate(${x}px, ${y}px)`;
    root.style.width = `${width}px`;
    root.style.height = `${height}px`;
    root.setAttribute("aria-selected", selected);
    root.setAttribute("aria-posinset", index + 1);
    root.setAttribute("aria-setsize", all);
    const begins = page.begins && index > 0;
    root.setAttribute("aria-label", t("pageOf", { n: index + 1, all }) + (begins ? `, ${t("pageBegins")}` : ""));
    root.classList.toggle("focus", page.id === this.pages.focus);
    root.classList.toggle("begins", begins);
    cell.number.textContent = String(index + 1);
  }

  #point() {
    const focused = this.#cells.get(this.pages.focus);
    if (focused) this.root.setAttribute("aria-activedescendant", focused.root.id);
    else this.root.removeAttribute("aria-activedescendant");
  }

  /** Scroll so that a page is in view. */
  reveal(id) {
    const index = this.pages.at(id);
    if (index < 0) return;
    this.#measure();
    const { y, height } = this.place(index);
    const scroller = byId("stage").scrollHeight > byId("stage").clientHeight + 1 && getComputedStyle(byId("stage")).overflowY !== "visible" ? byId("stage") : document.scrollingElement;
    const view = scroller === document.scrollingElement ? { top: byId("bar").getBoundingClientRect().bottom, bottom: innerHeight - 80 } : scroller.getBoundingClientRect();
    const top = this.root.getBoundingClientRect().top + y;
    if (top < view.top + 8) scroller.scrollTop -= view.top + 8 - top;
    else if (top + height > view.bottom - 8) scroller.scrollTop += top + height - view.bottom + 8;
    this.draw();
  }
}

function made() {
  const image = el("img", { alt: "", draggable: false, decoding: "async" });
  const frame = el("span", { className: "sheet" }, image);
  const mark = el("span", { className: "mark", aria: { hidden: "true" } }, icon("check"));
  const number = el("span", { className: "number", aria: { hidden: "true" } });
  const root = el("div", { className: "page", aria: { role: "option" } }, frame, mark, number);
  image.addEventListener("load", () => root.classList.add("loaded"));
  return { root, image, number, said: "", address: "" };
}
