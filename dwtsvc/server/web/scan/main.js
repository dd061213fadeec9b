// The scan page: brings its parts together, and knows which tools can be used now.

import { DwtsvcError } from "/dwtsvc.js";
import { Actions } from "./actions.js";
import { appearance } from "./appearance.js";
import { button, byId, el } from "./dom.js";
import { Files } from "./files.js";
import { Grid } from "./grid.js";
import { Hand, keyboard } from "./hand.js";
import { t } from "./i18n.js";
import { failed, quiet, toast } from "./notices.js";
import { Pages } from "./pages.js";
import { Run } from "./run.js";
import { Saver } from "./save.js";
import { connected, features, service } from "./service.js";
import { Settings } from "./settings.js";
import { Viewer } from "./viewer.js";

const able = { ocr: false };
const pages = new Pages();
const actions = new Actions(pages);
const settings = new Settings();
const viewer = new Viewer(pages, actions, able);
appearance(() => spoken());
const grid = new Grid(pages, (id) => viewer.open(id));
const run = new Run(pages, settings);
const files = new Files(pages);
const saver = new Saver(pages, able);
new Hand(grid, actions);
keyboard(grid, actions);

/** What a tool is called, its icon, what it does, and when it can be used. */
const some = () => pages.chosen.length > 0;
const any = () => pages.list.length > 0;
const TOOLS = [
  ["all", "selectAll", () => (pages.selected.size === pages.list.length ? pages.select([]) : pages.selectAll()), any],
  null,
  ["left", "left", () => actions.rotate(-90), some],
  ["right", "right", () => actions.rotate(90), some],
  ["over", "over", () => actions.rotate(180), some],
  ["deskew", "deskew", () => actions.deskew(), some],
  ["edit", "open", () => viewer.open(pages.chosen[0].id), some],
  null,
  ["earlier", "earlier", () => actions.shift(-1), some],
  ["later", "later", () => actions.shift(1), some],
  ["divide", "divide", () => actions.begin(), some],
  ["bin", "remove", () => actions.remove(), some],
  null,
  ["blank", "blanks", () => actions.removeBlanks(), any],
  ["split", "split", () => actions.split(), any],
  ["open", "openFiles", () => files.choose(), () => true],
  null,
  ["undo", "undo", () => actions.undo(), () => actions.canUndo],
  ["redo", "redo", () => actions.redo(), () => actions.canRedo],
];

function drawBar() {
  const tools = TOOLS.map((tool) => {
    if (!tool) return el("span", { className: "gap" });
    const [glyph, label, act, usable] = tool;
    // A tool that cannot be used keeps the focus: it is said to be off, and does nothing.
    return button({ glyph, label: t(label), data: { tool: label }, on: { click: () => usable() && act() } });
  });
  byId("bar").replaceChildren(...tools, el("p", { className: "count", id: "count" }));
}

function enable() {
  for (const [, label, , usable] of TOOLS.filter(Boolean)) {
    byId("bar").querySelector(`[data-tool=${label}]`).setAttribute("aria-disabled", !usable());
  }
  const [all, n] = [pages.list.length, pages.selected.size];
  byId("count").textContent = n ? t("selected", { n, all }) : t("count", { n: all });
  byId("bar").hidden = !all && !actions.canUndo;
  byId("empty").hidden = all > 0;
  byId("save").disabled = !all;
}

function spoken() {
  drawBar();
  enable();
  settings.draw();
  grid.draw();
  run.draw();
}

function shortcuts(event) {
  const ctrl = event.ctrlKey || event.metaKey;
  const typing = event.target.matches("input[type=text], input[type=number], textarea");
  if (!ctrl) return;
  const key = event.key.toLowerCase();
  const act = {
    z: () => !typing && (event.shiftKey ? actions.redo() : actions.undo()),
    y: () => !typing && actions.redo(),
    s: () => pages.list.length && !document.querySelector("dialog[open]") && saver.open(),
    enter: () => !document.querySelector("dialog[open]") && settings.ready && run.scan(),
  }[key];
  if (!act || (typing && "zy".includes(key))) return;
  event.preventDefault();
  act();
}

function name() {
  const field = byId("name");
  field.value = localStorage.getItem("dwtsvc.name") ?? "";
  field.addEventListener("change", () => localStorage.setItem("dwtsvc.name", field.value));
}

function fold() {
  const button = byId("fold");
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", open);
    byId("settings").classList.toggle("unfolded", open);
  });
}

async function begin() {
  name();
  fold();
  drawBar();
  for (const each of [pages, actions]) each.addEventListener("change", enable);
  pages.addEventListener("select", enable);
  byId("save").addEventListener("click", () => saver.open());
  document.addEventListener("keydown", shortcuts);
  viewer.closed = (id) => {
    if (pages.at(id) >= 0) pages.select(pages.selected, { focus: id });
    byId("pages").focus();
    if (pages.at(id) >= 0) grid.reveal(id);
  };
  document.addEventListener("visibilitychange", () => document.hidden || run.active || pages.refresh().catch(() => {}));
  await load();
  service.addEventListener("state", heard);
  settings.begin();
  Object.assign(able, await features().catch(() => able));
  enable();
}

/** The pages that are here already; a service that does not answer is asked again when the person wishes. */
async function load() {
  try {
    await Promise.all([connected(), pages.refresh()]);
    enable();
    document.documentElement.dataset.ready = "";
    await pages.tidy();
    run.resume().catch(() => {});
  } catch (error) {
    failed(error, load);
  }
}

/** The service went away, or is there again: what it holds may be other pages by now. */
function heard({ detail: { state, error } }) {
  if (state === "lost" && byId("problem").hidden) failed(error ?? new DwtsvcError("connection-lost"));
  if (state !== "connected") return;
  if (byId("problem").dataset.word === "connection-lost" && !byId("problem").querySelector("[data-retry]")) quiet();
  pages.refresh().then(() => toast(t("serviceBack")), () => {});
}

begin();
