// @ts-check
// The dialog for somebody whose page does not reach the service: what is wrong, what to do, and to try again.

/** @import { Prompt } from "./types.js" */
import { DwtsvcError } from "./errors.js";
import { spoken } from "./texts.js";

const DOCS = "https://pypi.org/project/dwtsvc/";
const STYLE = `
  :host { color-scheme: light dark; }
  [hidden] { display: none !important; }
  dialog { box-sizing: border-box; max-width: min(34rem, 92vw); padding: 1.5rem; border: 1px solid #8888; border-radius: 12px;
    font: 1rem/1.5 system-ui, sans-serif; color: CanvasText; background: Canvas; }
  dialog::backdrop { background: #0008; }
  h2 { margin: 0 0 .5rem; font-size: 1.25rem; line-height: 1.3; }
  h2:focus { outline: none; }
  code { display: block; padding: .5rem .75rem; border-radius: 6px; background: #8883; overflow-wrap: anywhere; user-select: all; }
  div { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
  a { display: inline-block; margin-top: .75rem; color: LinkText; }
  button { font: inherit; min-height: 44px; padding: 0 1.1rem; border: 1px solid #767676; border-radius: 8px; color: ButtonText;
    background: ButtonFace; cursor: pointer; }
  button.main { border-color: #0b57d0; background: #0b57d0; color: #fff; }
  button:focus-visible, a:focus-visible { outline: 3px solid #0b57d0; outline-color: light-dark(#0b57d0, #a8c7fa);
    outline-offset: 2px; }
  button:disabled { opacity: .6; cursor: default; }`;

const COMMANDS = {
  install: "pip install dwtsvc && dwtsvc serve",
  start: "dwtsvc serve",
  update: "pip install --upgrade dwtsvc",
  trust: "dwtsvc cert install",
};

/**
 * Show the dialog. What `reconnect` gave; null if the user closed it.
 * @template T
 * @param {Prompt<T>} prompt
 * @returns {Promise<T | null>}
 */
export function installPrompt(prompt) {
  const texts = { ...spoken(), ...prompt.texts };
  const { dialog, close } = openDialog(prompt.signal);
  const said = make("p", "", { role: "status" });
  const help = make("p", "");
  const command = make("code", "", { tabIndex: 0 });
  const link = make("a", texts.more, { href: prompt.link ?? DOCS, target: "_blank", rel: "noopener" });
  const again = make("button", texts.reconnect, { type: "button", className: "main" });
  const leave = make("button", texts.close, { type: "button", onclick: () => close() });
  const buttons = make("div", "");
  buttons.append(again, leave);
  const title = make("h2", texts.title.replace("{app}", prompt.appName ?? texts.app), { id: "title", tabIndex: -1 });
  dialog.append(title, said, help, command, link, buttons);

  const show = (/** @type {unknown} */ reason) => {
    const error = reason instanceof DwtsvcError ? reason : new DwtsvcError("not-installed", { cause: reason });
    const { message, hint } = prompt.translate?.(error) ?? error;
    said.textContent = `${message} ${hint}`.trim();
    const advice = prompt.command ?? COMMANDS[/** @type {keyof typeof COMMANDS} */ (error.action)] ?? "";
    help.textContent = (error.action === "install" ? texts.install : texts.start).replace("{os}", system());
    command.textContent = advice;
    help.hidden = command.hidden = !advice;
    link.hidden = error.action !== "install" && error.action !== "update";
  };
  show(prompt.error);
  again.focus();

  return new Promise((done) => {
    dialog.addEventListener("close", () => done(null)); // after a success it changes nothing any more
    again.addEventListener("click", async () => {
      again.disabled = true;
      said.textContent = texts.reconnecting;
      try {
        done(await prompt.reconnect());
        close();
      } catch (error) {
        show(error);
        again.disabled = false;
        again.focus();
      }
    });
  });
}

/**
 * A modal dialog whose style no policy of the page forbids and no style of the page reaches. Escape closes it, and the
 * focus goes back to where it was.
 * @param {AbortSignal} [signal]
 */
export function openDialog(signal) {
  const host = document.createElement("dwtsvc-dialog");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "title");
  root.append(dialog);
  document.body.append(host);
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  dialog.addEventListener("close", () => {
    host.remove();
    before?.focus();
  });
  const close = () => dialog.close();
  signal?.addEventListener("abort", close, { once: true });
  dialog.showModal();
  if (signal?.aborted) close(); // while this module was loaded; who waits for `close` still hears it
  return { dialog, close };
}

/**
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {string} text
 * @param {Partial<HTMLElementTagNameMap[N]>} [about]
 * @returns {HTMLElementTagNameMap[N]}
 */
export const make = (name, text, about) => Object.assign(document.createElement(name), { textContent: text }, about);

function system() {
  const told = navigator.userAgent;
  if (/Windows/.test(told)) return "Windows";
  if (/Mac OS X|Macintosh/.test(told)) return "macOS";
  return /Linux|X11/.test(told) ? "Linux" : "this computer";
}
