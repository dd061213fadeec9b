// What to scan with and how: the scanners there are, what the chosen one can do, and profiles of settings.

import { byId, dialog, button, el } from "./dom.js";
import { explained, t } from "./i18n.js";
import { say, toast } from "./notices.js";
import * as service from "./service.js";

const USUAL = { source: "auto", mode: "color", dpi: 300, size: "whole", skipBlank: false, straight: true };
const PAPERS = ["A4", "Letter", "Legal", "A5", "A3", "A6", "B4", "B6", "Executive"];
const DPIS = [75, 100, 150, 200, 300, 400, 600, 1200];
const OWN = { text: { mode: "gray", dpi: 200, size: "whole" }, photo: { mode: "color", dpi: 600, size: "whole", source: "glass" } };
const LOOK_EVERY = 15_000; // milliseconds
const ANYTHING = { feeder: true, duplex: true, modes: ["bw", "gray", "color"], resolutions: null, least: 75, most: 1200, pageSizes: PAPERS };

const kept = (name, otherwise) => {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
};
const keep = (name, value) => localStorage.setItem(name, JSON.stringify(value));

/** Tells `change` when there is another scanner or none. */
export class Settings extends EventTarget {
  value = { ...USUAL, ...kept("dwtsvc.settings", {}) };
  devices = kept("dwtsvc.devices", []);
  device = localStorage.getItem("dwtsvc.device") ?? "";
  profiles = kept("dwtsvc.profiles", {});
  able = ANYTHING;
  free = Promise.resolve(); // when no scanner is held any more to be asked what it can do
  #asked = new Map();
  #gone = false;
  #looked = false;

  constructor() {
    super();
    const wanted = new URLSearchParams(location.search).get("device"); // a link to one scanner, such as virtual:adf?pages=3
    this.named = wanted ? { id: wanted, name: wanted, virtual: wanted.startsWith("virtual:"), kind: wanted.startsWith("webcam:") ? "camera" : "scanner" } : null;
    if (wanted) this.device = wanted;
    byId("device").addEventListener("change", () => this.choose(byId("device").value));
    byId("look").addEventListener("click", () => this.look({ refresh: true }));
    byId("dpi").addEventListener("change", () => this.#set({ dpi: Number(byId("dpi").value) }));
    byId("size").addEventListener("change", () => this.#set({ size: byId("size").value }));
    byId("straight").addEventListener("change", () => this.#set({ straight: byId("straight").checked }));
    byId("skip-blank").addEventListener("change", () => this.#set({ skipBlank: byId("skip-blank").checked }));
    byId("profile").addEventListener("change", () => this.#take(byId("profile").value));
    byId("profile-save").addEventListener("click", () => this.#name());
    byId("profile-remove").addEventListener("click", () => this.#forget());
    setInterval(() => document.hidden || this.paused || this.look({ silent: true }), LOOK_EVERY);
  }

  begin() {
    this.draw();
    return this.look();
  }

  get ready() {
    return this.device !== "" && !this.#gone;
  }

  get name() {
    return this.#listed().find((each) => each.id === this.device)?.name ?? this.device;
  }

  /** Whether it is a camera that is chosen. */
  get camera() {
    return this.#listed().find((each) => each.id === this.device)?.kind === "camera";
  }

  #listed() {
    const { named, devices } = this;
    return named && !devices.some((each) => each.id === named.id) ? [named, ...devices] : devices;
  }

  #has(id) {
    return this.#listed().some((each) => each.id === id);
  }

  /** Ask which scanners there are. */
  async look({ refresh = false, silent = false } = {}) {
    if (!silent) this.#hint(t("looking"));
    byId("look").disabled = true;
    try {
      const before = this.devices;
      this.devices = await service.devices({ refresh });
      this.#looked = true;
      keep("dwtsvc.devices", this.devices);
      this.#settle(before, silent);
      if (!silent) say(t("foundScanners", { n: this.devices.length }));
    } catch (error) {
      if (!silent) this.#hint(Object.values(explained(error)).join(" "));
      this.#looked = true;
      this.draw();
    }
    byId("look").disabled = false;
  }

  #settle(before, silent) {
    const all = this.#listed();
    const better = all.find(({ also = [] }) => also.includes(this.device)); // the same scanner in a better way
    if (better && !this.#has(this.device)) this.choose(better.id);
    const there = this.#has(this.device);
    const was = before.find((each) => each.id === this.device);
    const gone = this.device !== "" && !there;
    if (gone !== this.#gone && silent) toast(t(gone ? "scannerGone" : "scannerBack", { name: was?.name ?? this.name }));
    if (gone) this.lost = was ?? this.lost ?? { id: this.device, name: this.device };
    this.#gone = gone;
    const scanners = all.filter((each) => each.kind !== "camera"); // a camera is taken by who means it
    if (!this.device && scanners.length) this.choose((scanners.find((each) => !each.virtual) ?? scanners[0]).id);
    else if (!silent || gone || before.length !== this.devices.length) this.choose(this.device);
    this.#hint(all.length ? (gone ? t("scannerGone", { name: this.lost.name }) : "") : t("noScannerHint"));
    this.dispatchEvent(new Event("change"));
  }

  #hint(text) {
    byId("device-hint").textContent = text;
  }

  /** Take a scanner, and ask what it can do. */
  async choose(id) {
    this.device = id;
    if (id) localStorage.setItem("dwtsvc.device", id);
    this.#gone = !this.#has(id);
    this.draw();
    this.dispatchEvent(new Event("change"));
    if (!id || this.#gone) return;
    this.able = this.#asked.get(id) ?? kept(`dwtsvc.able:${id}`, ANYTHING);
    this.draw();
    if (this.#asked.has(id) || this.paused) return;
    const asking = this.#ask(id);
    this.free = Promise.all([this.free, asking]);
    await asking;
  }

  async #ask(id) {
    try {
      const able = await service.abilities(id);
      this.#asked.set(id, able);
      keep(`dwtsvc.able:${id}`, able);
      if (this.device === id) this.able = able;
      this.draw();
    } catch (error) {
      if (this.device === id) this.#hint(t("unknownAbilities", { why: explained(error).what }));
    }
  }

  #set(some) {
    Object.assign(this.value, some);
    keep("dwtsvc.settings", this.value);
    localStorage.removeItem("dwtsvc.profile");
    this.draw();
  }

  /** The settings as this scanner can do them. */
  get wanted() {
    const { value } = this;
    const near = (list, wish) => list.reduce((best, each) => (Math.abs(each - wish) < Math.abs(best - wish) ? each : best), list[0]);
    return {
      ...value,
      source: this.#sources().includes(value.source) ? value.source : "auto",
      mode: this.able.modes.includes(value.mode) ? value.mode : (this.able.modes.at(-1) ?? value.mode),
      dpi: near(this.#dpis(), value.dpi),
      size: this.able.pageSizes.includes(value.size) ? value.size : "whole",
      straight: this.camera && value.straight,
    };
  }

  #sources() {
    return ["auto", "glass", ...(this.able.feeder ? ["feeder"] : []), ...(this.able.duplex ? ["duplex"] : [])];
  }

  #dpis() {
    const { resolutions, least, most } = this.able;
    if (this.camera && most) return [...DPIS.filter((each) => each >= least && each < most), most]; // all its pixels
    if (!resolutions) return DPIS.filter((each) => each >= (least ?? 0) && each <= (most ?? Infinity));
    const usual = resolutions.filter((each) => DPIS.includes(each));
    return usual.length ? usual : resolutions;
  }

  draw() {
    const { wanted } = this;
    const { camera } = this;
    const named = ({ virtual, kind }) => (virtual ? "practice" : kind === "camera" ? "camera" : "plain");
    const label = (each) => t(named(each), { name: each.name });
    const all = this.#listed().map((each) => [each.id, label(each)]);
    if (this.#gone && this.device) all.unshift([this.device, this.lost?.name ?? this.device]);
    if (!this.device && all.length) all.unshift(["", t("chooseDevice")]);
    options(byId("device"), all.length ? all : [["", t(this.#looked ? "noScanner" : "looking")]], this.device);
    byId("device").disabled = !all.length;
    this.#segments("source", this.#sources());
    this.#segments("mode", ["color", "gray", "bw"].filter((each) => this.able.modes.includes(each)));
    options(byId("dpi"), this.#dpis().map((n) => [String(n), t("dpi", { n })]), String(wanted.dpi));
    options(byId("size"), [["whole", t("whole")], ...PAPERS.filter((each) => this.able.pageSizes.includes(each)).map((each) => [each, each])], wanted.size);
    byId("sources").hidden = camera;
    byId("straight-line").hidden = !camera;
    byId("straight").checked = wanted.straight;
    byId("skip-blank").checked = wanted.skipBlank;
    this.#drawProfiles();
  }

  #segments(name, values) {
    const place = byId(name);
    const said = `${values}.${this.wanted[name]}.${document.documentElement.lang}`;
    if (place.dataset.said === said) return;
    const focused = place.contains(document.activeElement);
    place.dataset.said = said;
    place.replaceChildren(
      ...values.map((value) => {
        const input = el("input", { type: "radio", name, value, checked: value === this.wanted[name], on: { change: () => this.#set({ [name]: value }) } });
        return el("label", {}, input, el("span", { textContent: t(value) }));
      }),
    );
    if (focused) place.querySelector("input:checked")?.focus();
  }

  #drawProfiles() {
    const chosen = localStorage.getItem("dwtsvc.profile") ?? "";
    const own = [["text", t("profileText")], ["photo", t("profilePhoto")]];
    const mine = Object.keys(this.profiles).map((name) => [`mine:${name}`, name]);
    options(byId("profile"), [["", t("profileNone")], ...own, ...mine], chosen);
    byId("profile-remove").hidden = !chosen.startsWith("mine:");
    byId("profile-save").hidden = chosen.startsWith("mine:");
  }

  #take(chosen) {
    const found = OWN[chosen] ?? this.profiles[chosen.replace(/^mine:/, "")];
    if (!found) return this.#set({});
    this.#set({ ...USUAL, ...found });
    localStorage.setItem("dwtsvc.profile", chosen);
    this.draw();
  }

  #name() {
    const input = el("input", { type: "text", maxLength: 60, required: true, autocomplete: "off" });
    const go = button({ glyph: "check", text: t("save"), className: "primary", type: "submit" });
    const form = el("form", { method: "dialog" }, el("label", { className: "field" }, el("span", { textContent: t("profileName") }), input), el("div", { className: "buttons" }, go));
    const root = dialog({ title: t("profileSave"), className: "form" }, form);
    form.addEventListener("submit", () => {
      const name = input.value.trim();
      this.profiles = { ...this.profiles, [name]: { ...this.value } };
      keep("dwtsvc.profiles", this.profiles);
      localStorage.setItem("dwtsvc.profile", `mine:${name}`);
      root.close();
      this.draw();
      toast(t("profileSaved", { name }));
    });
    input.focus();
  }

  #forget() {
    const { [byId("profile").value.replace(/^mine:/, "")]: _, ...others } = this.profiles;
    this.profiles = others;
    keep("dwtsvc.profiles", others);
    this.#set({});
    byId("profile").focus();
  }
}

/** The options of a select element, made anew only where they differ: an open one would close. */
function options(select, pairs, chosen) {
  const said = JSON.stringify(pairs);
  if (select.dataset.said !== said) {
    select.dataset.said = said;
    select.replaceChildren(...pairs.map(([value, textContent]) => el("option", { value, textContent })));
  }
  select.value = chosen;
}
