// Work that takes its time: what it is doing, how far it is, and a button that ends it.

import { button, el } from "./dom.js";
import { t } from "./i18n.js";

/** A line to put into the page; `signal` is aborted when somebody ends the work. */
export class Working {
  #stop = new AbortController();

  constructor(text) {
    this.text = el("p", { textContent: text, aria: { role: "status" } });
    this.bar = el("progress", { max: 1, aria: { label: t("work") } });
    const leave = button({ glyph: "stop", text: t("cancel"), className: "small", on: { click: () => this.stop() } });
    this.root = el("div", { className: "working" }, this.text, this.bar, leave);
  }

  get signal() {
    return this.#stop.signal;
  }

  stop() {
    this.#stop.abort();
  }

  /** `share` is 0 to 1; without one nobody knows how long it takes. */
  tell(text, share = null) {
    this.text.textContent = text;
    if (share === null) this.bar.removeAttribute("value");
    else this.bar.value = share;
  }
}
