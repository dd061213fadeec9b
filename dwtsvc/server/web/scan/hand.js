// The mouse, the finger and the keyboard on the pages: select, and carry them to another place.

import { byId, el } from "./dom.js";
import { t } from "./i18n.js";

const CLICK = 6; // pixels that a mouse may move in a click
const HOLD = 380; // milliseconds until a finger that stays carries a page
const EDGE = 70; // pixels from the edge of the view where it scrolls

/** Carry the selected pages with a mouse or a finger. */
export class Hand {
  #start = null;
  #gap = -1;
  #frame = 0;

  constructor(grid, actions) {
    Object.assign(this, { grid, actions, pages: grid.pages });
    const { root } = grid;
    this.marker = el("div", { className: "marker", hidden: true, aria: { role: "presentation" } });
    this.load = el("div", { className: "load", hidden: true, aria: { hidden: "true" } });
    document.body.append(this.load);
    root.addEventListener("pointerdown", (event) => this.#down(event));
    root.addEventListener("pointermove", (event) => this.#move(event));
    root.addEventListener("pointerup", (event) => this.#up(event));
    root.addEventListener("pointercancel", () => this.#drop());
    root.addEventListener("contextmenu", (event) => this.#start?.touch && event.preventDefault());
    root.addEventListener("touchmove", (event) => this.#start?.carrying && event.preventDefault(), { passive: false });
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.#drop());
  }

  #down(event) {
    const id = this.grid.idAt(event.target);
    if (!id || event.button !== 0) return;
    const touch = event.pointerType !== "mouse";
    this.#start = { id, touch, x: event.clientX, y: event.clientY, at: event, carrying: false, mark: event.target.closest(".mark") };
    if (touch) this.#start.timer = setTimeout(() => this.#start && this.#carry(event), HOLD);
  }

  #move(event) {
    const start = this.#start;
    if (!start) return;
    Object.assign(start, { nowX: event.clientX, nowY: event.clientY });
    const far = Math.hypot(event.clientX - start.x, event.clientY - start.y) > CLICK;
    if (!start.carrying && far) {
      if (start.touch) return this.#drop(); // it scrolls
      this.#carry(event);
    }
    if (start.carrying) this.#follow();
  }

  #carry(event) {
    const start = this.#start;
    start.carrying = true;
    this.grid.root.setPointerCapture(event.pointerId);
    if (!this.pages.selected.has(start.id)) this.pages.select([start.id], { focus: start.id });
    this.load.textContent = t("dragging", { n: this.pages.selected.size });
    this.grid.root.append(this.marker);
    this.load.hidden = this.marker.hidden = false;
    this.grid.root.classList.add("carrying");
    Object.assign(start, { nowX: start.nowX ?? start.x, nowY: start.nowY ?? start.y });
    this.#follow();
  }

  #follow() {
    const { nowX, nowY } = this.#start;
    this.load.style.transform = `translate(${nowX + 14}px, ${nowY + 14}px)`;
    this.#gap = this.grid.gapAt(nowX, nowY);
    const { columns } = this.grid;
    const behind = this.#gap > 0 && (this.#gap % columns === 0 ? nowX > this.#middle() : this.#gap === this.pages.list.length);
    const at = this.grid.place(behind ? this.#gap - 1 : this.#gap);
    const x = behind ? at.x + at.width + 5 : at.x - 9;
    this.marker.style.transform = `translate(${x}px, ${at.y}px)`;
    this.marker.style.height = `${at.height}px`;
    this.#frame ||= requestAnimationFrame(() => this.#scroll());
  }

  #middle() {
    const box = this.grid.root.getBoundingClientRect();
    return box.left + box.width / 2;
  }

  /** Scroll while the hand is near an edge. */
  #scroll() {
    this.#frame = 0;
    if (!this.#start?.carrying) return;
    const stage = byId("stage").getBoundingClientRect();
    const [top, bottom] = [Math.max(stage.top, 0), Math.min(stage.bottom, innerHeight)];
    const { nowY } = this.#start;
    const by = nowY < top + EDGE ? nowY - top - EDGE : nowY > bottom - EDGE ? nowY - bottom + EDGE : 0;
    if (!by) return;
    byId("stage").scrollBy(0, by / 4);
    window.scrollBy(0, by / 4);
    this.#follow();
  }

  #up(event) {
    const start = this.#start;
    const gap = this.#gap;
    this.#drop();
    if (!start) return;
    if (start.carrying) this.actions.move(this.pages.chosen.map((page) => page.id), gap);
    else this.#click(start, event);
  }

  #click({ id, mark }, event) {
    if (event.shiftKey) this.pages.extend(id);
    else if (event.ctrlKey || event.metaKey || mark) this.pages.toggle(id);
    else this.pages.select([id], { focus: id });
    this.grid.root.focus({ preventScroll: true });
  }

  #drop() {
    clearTimeout(this.#start?.timer);
    this.#start = null;
    this.#gap = -1;
    this.load.hidden = this.marker.hidden = true;
    this.marker.remove();
    this.grid.root.classList.remove("carrying");
  }
}

/** The keyboard on the pages. */
export function keyboard(grid, actions) {
  const { pages } = grid;
  const steps = () => {
    const rows = Math.max(1, Math.floor(innerHeight / (grid.place(0).height + 14)) - 1);
    const all = pages.list.length;
    return {
      ...{ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns, ArrowDown: grid.columns, Home: -all, End: all },
      ...{ PageUp: -grid.columns * rows, PageDown: grid.columns * rows },
    };
  };
  const go = (by, event) => {
    const now = pages.at(pages.focus);
    const next = Math.min(pages.list.length - 1, Math.max(0, now < 0 ? 0 : now + by));
    const { id } = pages.list[next];
    if (event.shiftKey) pages.extend(id);
    else if (event.ctrlKey || event.metaKey) pages.select(pages.selected, { focus: id });
    else pages.select([id], { focus: id });
    grid.reveal(id);
  };
  const others = {
    " ": () => pages.focus && pages.toggle(pages.focus),
    Enter: () => pages.focus && grid.open(pages.focus),
    Delete: () => actions.remove(),
    Backspace: () => actions.remove(),
    Escape: () => pages.select([], { focus: pages.focus }),
    r: () => actions.rotate(90),
    l: () => actions.rotate(-90),
  };
  grid.root.addEventListener("keydown", async (event) => {
    const by = steps()[event.key];
    if (!pages.list.length) return;
    if (by !== undefined) {
      event.preventDefault();
      if (!event.altKey) return go(by, event);
      if (!event.repeat) await actions.shift(by);
      return grid.reveal(pages.chosen[0]?.id);
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") {
      event.preventDefault();
      return pages.selectAll();
    }
    if (others[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      others[event.key]();
    }
  });
  grid.root.addEventListener("focus", () => {
    if (!pages.focus && pages.list.length && !grid.root.matches(":active")) {
      pages.select(pages.selected, { focus: pages.list[0].id, anchor: pages.list[0].id });
    }
  });
}
