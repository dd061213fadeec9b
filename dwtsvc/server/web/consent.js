// The page on which a person decides whether a web site may use the scanners. The request's id is behind the "#".

import { TEXTS } from "./consent-texts.js";
import { byId, el, fill } from "./scan/dom.js";
import { add, current, speak, t } from "./scan/i18n.js";

const WAIT = 500; // milliseconds that the window must be in front before an answer counts: no click meant for another
const EVERY = 2000; // milliseconds between two looks whether the question still waits
const STAYS = 2500; // milliseconds that the outcome can be read before the window closes
const ANSWERED = ["once", "always", "never", "allowed", "denied"];
const HERE = ["localhost", "127.0.0.1", "[::1]"];

add(TEXTS);

const buttons = [...document.querySelectorAll("button[data-decision]")];
let asked = null;
let timer = 0;
let draw = () => {}; // what is shown, again: in another language

const capital = (word) => word[0].toUpperCase() + word.slice(1);
const said = async (path, init) => fetch(path, { cache: "no-store", ...init });

// ---- the question ----

/** What a person should think of before believing a name. */
function* cautions({ origin, spelled, letters }) {
  const { hostname, protocol, port } = new URL(origin);
  if (protocol.endsWith("-extension:")) return yield t("cautionExtension");
  if (HERE.includes(hostname)) return yield t("cautionHere");
  if (hostname.split(".").some((label) => label.startsWith("xn--"))) {
    const named = letters.map(({ letter, name }) => `${letter} (${name})`).join(", ");
    yield t("cautionLetters", { spelled, letters: named || hostname });
  }
  if (protocol === "http:") yield t("cautionPlain");
  if (port) yield t("cautionPort", { port });
  if (/^[\d.]+$|^\[/.test(hostname)) yield t("cautionNumber");
  else if (hostname.split(".").length > 3) yield t("cautionLong", { end: hostname.split(".").slice(-3).join(".") });
}

const means = (scope) => t(`scope${capital(scope)}`);

function spell(origin) {
  const [scheme, rest] = origin.split("://");
  const [host, port = ""] = rest.match(/^(.*?)(:\d+)?$/).slice(1);
  byId("scheme").textContent = `${scheme}://`;
  byId("host").textContent = host;
  byId("port").textContent = port;
}

function question(found, others) {
  const has = found.scopes.filter((name) => found.has.includes(name));
  const wanted = found.scopes.filter((name) => !has.includes(name));
  fill();
  spell(found.origin);
  byId("cautions").replaceChildren(...[...cautions(found)].map((text) => el("p", { className: "caution", textContent: text })));
  byId("if-allowed").textContent = t(has.length ? "consentWantsMore" : "consentWants");
  byId("scopes").replaceChildren(...wanted.map((scope) => el("li", { textContent: means(scope) })));
  byId("has").hidden = !has.length;
  byId("has").textContent = t("consentHas", { scopes: has.map(means).join("; ") });
  byId("more").hidden = !others;
  byId("more").textContent = t("consentMore", { n: others });
  takeBack(found.origin);
  document.title = `${t("consentTab", { origin: found.origin })} - dwtsvc`;
}

function ask(found, others) {
  draw = () => question(found, others);
  draw();
  byId("outcome").hidden = true;
  byId("asking").hidden = false;
  asked = found;
  byId("asking").querySelector("h1").focus();
  arm();
}

/** Let the buttons work once the window has been seen for a while; whatever happens meanwhile starts the wait anew. */
function arm() {
  clearTimeout(timer);
  for (const each of buttons) each.disabled = true;
  if (!asked || document.visibilityState !== "visible" || !document.hasFocus()) return;
  timer = setTimeout(() => {
    for (const each of buttons) each.disabled = false;
  }, WAIT);
}

/** Whoever types or clicks when the window comes up means another one. A key that is held down answers nothing. */
function hasty(event) {
  if (asked && buttons[0].disabled) arm();
  if (event.repeat && ["Enter", " "].includes(event.key)) event.preventDefault();
}

async function decide(decision) {
  const { id, origin } = asked;
  for (const each of buttons) each.disabled = true;
  asked = null; // a second click, or a look meanwhile, is about nothing
  const headers = { "Content-Type": "application/json", "X-DWTSVC": "1" };
  const answer = await said("/consent/decisions", { method: "POST", headers, body: JSON.stringify({ id, decision }) });
  const told = await answer.json();
  if (!answer.ok) return show("refused", { origin, why: told.message });
  show(decision, { origin });
  if (!(await next())) setTimeout(() => window.close(), STAYS); // a browser does so only for a window that a page opened
}

// ---- what became of it ----

function show(word, values = {}) {
  draw = () => {
    fill();
    byId("outcome-title").textContent = t(`word${capital(word)}`);
    byId("outcome-text").textContent = t(`word${capital(word)}Text`, values);
    byId("next").textContent = t("consentNext");
    takeBack(ANSWERED.includes(word) && values.origin);
    document.title = `${t(`word${capital(word)}`)} - dwtsvc`;
  };
  asked = null;
  arm();
  draw();
  byId("asking").hidden = true;
  byId("outcome").hidden = false;
  byId("next-line").hidden = true;
  byId("outcome-title").focus();
}

/** Where an answer is taken back, if there is somebody who got one. */
function takeBack(origin) {
  byId("afterwards").hidden = byId("command").hidden = !origin;
  byId("command").querySelector("code").textContent = `dwtsvc origins revoke ${origin}`;
}

/** Offer the question that has waited longest, if there is one. */
async function next() {
  const [first] = await waiting();
  byId("next-line").hidden = !first;
  byId("next").onclick = () => (location.hash = first.id);
  return Boolean(first);
}

async function waiting() {
  const answer = await said("/consent/requests");
  return answer.ok ? answer.json() : [];
}

async function load() {
  const open = await waiting();
  const id = location.hash.slice(1) || open[0]?.id;
  if (!id) return show("nobody");
  const answer = await said(`/consent/requests/${encodeURIComponent(id)}`);
  if (!answer.ok) return show("unknown");
  const found = await answer.json();
  if (found.state !== "pending") return show(found.state, { origin: found.origin });
  ask(found, open.filter((each) => each.id !== id).length);
}

/** The question may be answered in another window, or wait for too long. */
async function look() {
  if (!asked || document.hidden) return;
  const { id } = asked;
  const answer = await said(`/consent/requests/${encodeURIComponent(id)}`);
  const { state, origin } = answer.ok ? await answer.json() : { state: "unknown" };
  if (asked?.id === id && state !== "pending") show(state, { origin });
}

// ---- the window ----

const silent = () => show("silent");

for (const each of buttons)
  each.addEventListener("click", (event) => asked && event.isTrusted && decide(each.dataset.decision).catch(silent));
for (const name of ["focus", "blur", "resize"]) window.addEventListener(name, arm);
for (const name of ["keydown", "pointerdown"]) window.addEventListener(name, hasty, true);
document.addEventListener("visibilitychange", arm);
window.addEventListener("hashchange", () => load().catch(silent));
byId("language").value = current();
byId("language").addEventListener("change", (event) => {
  speak(event.target.value);
  draw();
});
fill();
setInterval(() => look().catch(() => {}), EVERY); // a service that is gone is told when somebody answers
load().catch(silent);
