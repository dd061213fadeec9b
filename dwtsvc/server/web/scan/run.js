// A scan from the click to the last page: what it is doing, what came, and what went wrong.

import { Area } from "./area.js";
import { watch } from "./camera.js";
import { button, byId, dialog, el } from "./dom.js";
import { t } from "./i18n.js";
import { failed, quiet, say, toast } from "./notices.js";
import * as service from "./service.js";

const PATIENCE = 3; // times that a busy scanner is asked again

export class Run {
  #stop = null;
  #stopped = false;

  constructor(pages, settings) {
    Object.assign(this, { pages, settings });
    byId("settings").addEventListener("submit", (event) => {
      event.preventDefault();
      this.scan();
    });
    byId("cancel").addEventListener("click", () => this.cancel());
    byId("preview").addEventListener("click", () => this.preview());
    settings.addEventListener("change", () => this.#enable());
    pages.addEventListener("change", () => this.#enable());
    this.#enable();
  }

  draw() {
    this.#enable();
  }

  get active() {
    return this.settings.paused === true;
  }

  #enable() {
    const { active } = this;
    byId("scan").disabled = byId("preview").disabled = active || !this.settings.ready;
    byId("scan").hidden = active;
    byId("cancel").hidden = !active;
    byId("running").hidden = !active;
    byId("scan").lastChild.textContent = t(this.pages.list.length ? "scanMore" : "scan");
  }

  /** Have the page show a scan while `work` lasts. */
  async #during(work, again) {
    if (this.active) return;
    const focused = byId("scan").contains(document.activeElement);
    const before = this.pages.list.length;
    this.settings.paused = true;
    this.#stopped = false;
    this.#stop = new AbortController();
    quiet();
    this.#progress(t("opening"), null);
    this.#enable();
    if (focused) byId("cancel").focus();
    let error = null;
    try {
      await this.settings.free;
      await this.#patiently(work);
    } catch (caught) {
      error = caught;
    }
    await this.#end(error, this.pages.list.length - before, again, focused);
  }

  /** Another tab may hold the scanner for a moment, only to see what it can do. */
  async #patiently(work) {
    for (let turn = 0; turn < PATIENCE; turn += 1) {
      try {
        return await work(this.#how());
      } catch (error) {
        if (error.code !== "scanner-busy" || this.#stopped) throw error;
      }
      await new Promise((done) => setTimeout(done, 500));
    }
    return work(this.#how());
  }

  async #end(error, n, again, focused) {
    const held = document.activeElement === byId("cancel") || focused;
    this.#stop = null;
    this.settings.paused = false;
    this.#enable();
    if (held) byId("scan").focus();
    if (n) this.pages.announce();
    if (this.#stopped) return toast(t("cancelled", { n }));
    if (error) return failed(error, again);
    return say(n ? t("scanned", { n }) : t("scannedNone"), { shown: !n });
  }

  #progress(text, share) {
    if (byId("running-text").textContent !== text) say(text);
    byId("running-text").textContent = text;
    if (share === null) byId("running-bar").removeAttribute("value");
    else byId("running-bar").value = share;
  }

  /** What a scan is told: when to stop, and whom to tell how far it is. */
  #how() {
    const onProgress = ({ page, rows, height }) => this.#progress(t("scanningPage", { n: page }), height ? rows / height : null);
    return { signal: this.#stop.signal, onProgress };
  }

  scan() {
    const scan = (how) => service.scan(this.settings.device, this.settings.wanted, how);
    return this.#during(scan, () => this.scan());
  }

  /** Go on showing a scan that was running when the page was loaded. */
  async resume() {
    const job = await service.running();
    if (!job || this.active) return;
    const follow = (how) => {
      how.signal.addEventListener("abort", () => job.cancel().catch(failed));
      return service.buffer.follow(job, how);
    };
    await this.#during(follow, () => this.scan());
  }

  cancel() {
    this.#stopped = true;
    this.#progress(t("cancel"), null);
    this.#stop?.abort();
  }

  /** Look at the glass, and scan a part of it. */
  async preview() {
    if (this.active || !this.settings.ready) return;
    if (this.settings.camera) return this.#watch();
    const settings = this.settings.wanted;
    const place = el("div", { className: "holder" }, el("p", { className: "hint wait", textContent: t("previewing") }));
    const numbers = el("div");
    const go = button({ glyph: "scan", text: t("scanArea"), className: "primary", disabled: true });
    const problem = el("section", { className: "problem", hidden: true, aria: { role: "alert" } });
    const hint = el("p", { className: "hint", textContent: t("previewHint") });
    const side = el("div", { className: "side" }, hint, numbers, el("div", { className: "buttons" }, go));
    const root = dialog({ title: t("preview"), className: "preview" }, problem, el("div", { className: "body" }, el("div", { className: "view" }, place), side));
    try {
      this.settings.paused = true;
      await this.settings.free;
      const seen = await service.preview(this.settings.device, settings);
      root.addEventListener("close", () => seen.free());
      if (!root.isConnected) return void seen.free();
      const area = await framed(place, seen);
      numbers.replaceChildren(area.fields);
      go.disabled = false;
      go.addEventListener("click", () => this.#part(root, settings, area));
    } catch (error) {
      place.replaceChildren();
      failed(error, () => (root.close(), this.preview()));
    } finally {
      this.settings.paused = false;
    }
  }

  async #watch() {
    await this.settings.free;
    watch(this.settings.device, () => this.scan(), () => this.preview());
  }

  #part(root, settings, area) {
    const wanted = area.measured;
    root.close();
    const whole = { ...settings, source: "glass", size: "whole" };
    const { device } = this.settings;
    const scan = (how) => (area.isWhole ? service.scan(device, whole, how) : service.scanArea(device, settings, wanted, how));
    const again = () => this.#during(scan, again);
    return again();
  }
}

async function framed(place, { url, width, height }) {
  const image = el("img", { src: url, alt: t("previewAlt"), draggable: false });
  await image.decode();
  place.replaceChildren(image);
  return new Area(place, image, { width, height });
}
