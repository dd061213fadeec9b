// The page on which a person decides whether a web site may use the scanners. The request's id is behind the "#".

const WAIT = 500; // milliseconds that the window must be in front before an answer counts: no click meant for another
const MEANING = {
  list: "See which scanners are connected and what they can do",
  scan: "Start scans, and stop those it started",
  read: "Read the pages it scanned",
  edit: "Change and delete the pages it scanned",
  upload: "Have this computer send those pages to the site itself, or to a server that was set up here",
};
const DONE = {
  allowed: ["Allowed", "The web site can go on now. You may close this window."],
  denied: ["Not allowed", "The web site has no access to your scanners. You may close this window."],
  expired: ["Too late", "The question was open for too long. The web site may ask you again."],
  unknown: ["There is no such question", "It was answered, or it is too old. You may close this window."],
  nobody: ["Nobody asks", "No web site is asking to use your scanners. You may close this window."],
  silent: ["The service does not answer", "Start it with: dwtsvc serve. Then load this page again."],
};

const byId = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("button[data-decision]")];
let asked = null;
let timer = 0;

function show(state, text) {
  const [title, usual] = DONE[state] ?? [state, ""];
  asked = null;
  arm();
  byId("asking").hidden = true;
  byId("outcome").hidden = false;
  byId("outcome-title").textContent = title;
  byId("outcome-text").textContent = text ?? usual;
  document.title = `${title} - dwtsvc`;
  byId("outcome-title").focus();
}

function item(text) {
  const made = document.createElement("li");
  made.textContent = text;
  return made;
}

/** What a person should think of before believing a name. */
function cautions(origin) {
  const url = new URL(origin);
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const said = [];
  if (url.hostname.split(".").some((label) => label.startsWith("xn--")))
    said.push("This name has letters beyond a to z, written here as “xn--”. Shown as letters, it could pass for another name.");
  if (url.protocol === "http:" && !here)
    said.push("The connection to this site is not encrypted: others in the network can pose as it.");
  if (here) said.push("This is a page that a program on this computer serves, not a site of the web.");
  if (url.protocol.endsWith("-extension:")) said.push("This is an extension of your browser, not a web site.");
  return said;
}

function ask(found) {
  byId("origin").textContent = found.origin;
  byId("scopes").replaceChildren(...found.scopes.map((scope) => item(MEANING[scope] ?? scope)));
  byId("cautions").replaceChildren(
    ...cautions(found.origin).map((text) => Object.assign(document.createElement("p"), { className: "caution", textContent: text })),
  );
  byId("outcome").hidden = true;
  byId("asking").hidden = false;
  document.title = `Allow ${found.origin}? - dwtsvc`;
  asked = found;
  byId("asking").querySelector("h1").focus();
  arm();
}

/** Let the buttons work once the window has been seen for a while; any change of that starts the wait anew. */
function arm() {
  clearTimeout(timer);
  for (const each of buttons) each.disabled = true;
  if (!asked || document.visibilityState !== "visible" || !document.hasFocus()) return;
  timer = setTimeout(() => {
    for (const each of buttons) each.disabled = false;
  }, WAIT);
}

async function decide(decision) {
  const { id } = asked;
  for (const each of buttons) each.disabled = true;
  const answer = await fetch("/consent/decisions", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-DWTSVC": "1" },
    body: JSON.stringify({ id, decision }),
  });
  const said = await answer.json();
  if (!answer.ok) return show("The answer was not taken", said.message);
  show(said.state);
  setTimeout(() => window.close(), 1200); // a browser does so only for a window that a page opened
}

async function load() {
  const id = location.hash.slice(1) || (await oldest());
  if (!id) return show("nobody");
  const answer = await fetch(`/consent/requests/${encodeURIComponent(id)}`, { cache: "no-store" });
  if (!answer.ok) return show("unknown");
  const found = await answer.json();
  if (found.state === "pending") ask(found);
  else show(found.state);
}

/** Without an id: the request that has waited longest. */
async function oldest() {
  const answer = await fetch("/consent/requests", { cache: "no-store" });
  return answer.ok ? (await answer.json())[0]?.id : undefined;
}

const silent = () => show("silent");

for (const each of buttons)
  each.addEventListener("click", (event) => asked && event.isTrusted && decide(each.dataset.decision).catch(silent));
for (const name of ["focus", "blur", "resize"]) window.addEventListener(name, arm);
document.addEventListener("visibilitychange", arm);
window.addEventListener("hashchange", () => load().catch(silent));
load().catch(silent);
