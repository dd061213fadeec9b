// A frame over an image that is drawn, moved and stretched: by mouse, finger, keyboard, and by numbers in millimetres.

import { el } from "./dom.js";
import { t } from "./i18n.js";

const SIDES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const LEAST = 0.01; // share of the image that a frame has at least
const STEP = 0.01;
const MM = 25.4;
const within = (value, low, high) => Math.min(high, Math.max(low, value));

/** `box` is left, top, width and height as shares of the image, 0 to 1. */
export class Area {
  box = { left: 0, top: 0, width: 1, height: 1 };
  #drag = null;

  /** Over the element `image`, which lies in a positioned `holder`; `inches` is the size of the whole. */
  constructor(holder, image, inches, box = null) {
    Object.assign(this, { holder, image, inches });
    const handles = SIDES.map((side) => el("span", { className: `handle ${side}`, data: { side } }));
    this.root = el("div", { className: "area", tabIndex: 0, aria: { role: "group", label: t("area") } }, ...handles);
    this.shade = el("div", { className: "shade" }, this.root);
    holder.append(this.shade);
    this.fields = this.#fields();
    this.shade.addEventListener("pointerdown", (event) => this.#down(event));
    this.shade.addEventListener("pointermove", (event) => this.#move(event));
    this.shade.addEventListener("pointerup", () => (this.#drag = null));
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.observer = new ResizeObserver(() => this.#draw());
    this.observer.observe(image);
    this.set(box ?? this.box);
  }

  remove() {
    this.observer.disconnect();
    this.shade.remove();
    this.fields.remove();
  }

  get isWhole() {
    return this.box.width > 0.995 && this.box.height > 0.995;
  }

  set({ left, top, width, height }) {
    const [w, h] = [within(width, LEAST, 1), within(height, LEAST, 1)];
    this.box = { left: within(left, 0, 1 - w), top: within(top, 0, 1 - h), width: w, height: h };
    this.#draw();
  }

  /** The frame in pixels of an image of this size, as the service wants it. */
  pixels(width, height) {
    const { box } = this;
    const left = Math.round(box.left * width);
    const top = Math.round(box.top * height);
    const right = Math.max(left + 1, Math.round((box.left + box.width) * width));
    return { left, top, right, bottom: Math.max(top + 1, Math.round((box.top + box.height) * height)) };
  }

  /** The frame in inches. */
  get measured() {
    const { box, inches } = this;
    return {
      left: box.left * inches.width,
      top: box.top * inches.height,
      width: box.width * inches.width,
      height: box.height * inches.height,
    };
  }

  #draw() {
    const { image, box } = this;
    const { style } = this.shade;
    style.left = `${image.offsetLeft}px`;
    style.top = `${image.offsetTop}px`;
    style.width = `${image.offsetWidth}px`;
    style.height = `${image.offsetHeight}px`;
    for (const name of ["left", "top", "width", "height"]) this.root.style[name] = `${box[name] * 100}%`;
    for (const [name, value] of Object.entries(this.measured)) {
      const input = this.fields?.querySelector(`[name=${name}]`);
      if (input && input !== document.activeElement) input.value = (value * MM).toFixed(0);
    }
  }

  #fields() {
    const field = (name, key) => {
      const input = el("input", { type: "number", name, min: "0", step: "1" });
      input.addEventListener("change", () => this.#typed(name, Number(input.value)));
      return el("label", { className: "field" }, el("span", { textContent: t(key) }), input);
    };
    const all = [["left", "areaLeft"], ["top", "areaTop"], ["width", "areaWidth"], ["height", "areaHeight"]];
    return el("div", { className: "numbers" }, ...all.map(([name, key]) => field(name, key)));
  }

  #typed(name, millimetres) {
    const whole = name === "left" || name === "width" ? this.inches.width : this.inches.height;
    this.set({ ...this.box, [name]: millimetres / MM / whole });
  }

  #point(event) {
    const box = this.shade.getBoundingClientRect();
    return [within((event.clientX - box.left) / box.width, 0, 1), within((event.clientY - box.top) / box.height, 0, 1)];
  }

  #down(event) {
    const [x, y] = this.#point(event);
    const side = event.target.dataset.side ?? (event.target === this.root ? "move" : "draw");
    this.#drag = { side, x, y, box: side === "draw" ? { left: x, top: y, width: 0, height: 0 } : this.box };
    this.shade.setPointerCapture(event.pointerId);
    event.preventDefault();
    this.root.focus({ preventScroll: true });
  }

  #move(event) {
    if (!this.#drag) return;
    const { side, x, y, box } = this.#drag;
    const [nowX, nowY] = this.#point(event);
    const [byX, byY] = [nowX - x, nowY - y];
    if (side === "move") return this.set({ ...box, left: box.left + byX, top: box.top + byY });
    const draws = side === "draw";
    const edges = {
      left: box.left + (side.includes("w") && !draws ? byX : 0),
      top: box.top + (side.includes("n") ? byY : 0),
      right: box.left + box.width + (side.includes("e") || draws ? byX : 0),
      bottom: box.top + box.height + (side.includes("s") || draws ? byY : 0),
    };
    this.#between(edges);
  }

  #between({ left, top, right, bottom }) {
    const [from, to] = [Math.min(left, right), Math.max(left, right)].map((each) => within(each, 0, 1));
    const [above, below] = [Math.min(top, bottom), Math.max(top, bottom)].map((each) => within(each, 0, 1));
    this.set({ left: from, top: above, width: to - from, height: below - above });
  }

  #key(event) {
    const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const { left, top, width, height } = this.box;
    if (event.shiftKey) this.set({ left, top, width: width + by[0], height: height + by[1] });
    else this.set({ width, height, left: left + by[0], top: top + by[1] });
  }
}
