// Light or dark, the language, and the list of keys: how the page looks and speaks, kept in this browser.

import { byId, dialog, el, fill } from "./dom.js";
import { current, speak, t } from "./i18n.js";

const THEMES = { system: "themeSystem", light: "themeLight", dark: "themeDark" };

function shade(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const label = t(THEMES[theme]);
  byId("theme").setAttribute("aria-label", label);
  byId("theme").title = label;
}

/** `changed` is called when another language is spoken. */
export function appearance(changed) {
  let theme = localStorage.getItem("dwtsvc.theme") ?? "system";
  const spoken = () => {
    fill();
    shade(theme);
    byId("name").placeholder = t("namePlaceholder");
    document.title = `${t("title")} - dwtsvc`;
  };
  byId("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    theme = names[(names.indexOf(theme) + 1) % names.length];
    localStorage.setItem("dwtsvc.theme", theme);
    shade(theme);
  });
  byId("language").value = current();
  byId("language").addEventListener("change", () => {
    speak(byId("language").value);
    spoken();
    changed();
  });
  byId("help").addEventListener("click", keys);
  spoken();
}

function keys() {
  const rows = [
    ["← → ↑ ↓", "keyArrows"],
    ["Shift + ← →", "keyShift"],
    ["Space", "keySpace"],
    ["Ctrl + A", "selectAll"],
    ["Alt + ← →", "keyAlt"],
    ["Enter", "open"],
    ["L, R", "keyTurn"],
    ["Delete", "remove"],
    ["Ctrl + Z", "undo"],
    ["Ctrl + Y", "redo"],
    ["Ctrl + Enter", "scanKey"],
    ["Ctrl + S", "save"],
  ];
  const lines = rows.map(([key, text]) => el("div", {}, el("dt", {}, el("kbd", { textContent: key })), el("dd", { textContent: t(text) })));
  dialog({ title: t("keys"), className: "form" }, el("dl", { className: "keys" }, ...lines));
}
