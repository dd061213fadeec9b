// The welcome page, kept current. The service renders it; this asks for it again and takes over what has changed.

const EVERY = 5000; // milliseconds between two looks
const PARTS = ["attention", "devices-list", "next", "origins", "jobs", "status", "doors", "certificate", "log"];
const shown = new Map();

const byId = (id) => document.getElementById(id);

function say(text) {
  byId("said").textContent = text;
}

/** Show times in the zone and the words of whoever reads, and the buttons that work with a script only. */
function enliven(part) {
  for (const each of part.querySelectorAll("time")) {
    const when = new Date(each.dateTime);
    each.textContent = when.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
  }
  for (const each of part.querySelectorAll("button[hidden]")) each.hidden = false;
  for (const each of part.querySelectorAll("select")) each.disabled = false;
}

/** Take over a part of a fresh page, unless somebody is just using the one that is there. */
function replace(id, fresh) {
  const old = byId(id);
  const next = fresh.getElementById(id);
  if (!next || shown.get(id) === next.innerHTML || old.contains(document.activeElement)) return;
  shown.set(id, next.innerHTML);
  old.replaceChildren(...next.childNodes);
  enliven(old);
}

function alive(yes) {
  const badge = byId("alive");
  const word = yes ? "running" : "not answering";
  if (badge.textContent === word) return;
  badge.textContent = word;
  badge.className = `badge ${yes ? "good" : "bad"}`;
  say(yes ? "The service answers again." : "The service does not answer. Start it with: dwtsvc serve");
}

async function refresh() {
  try {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of PARTS) replace(id, fresh);
    alive(true);
  } catch {
    alive(false);
  }
}

/** Have the service do something; what it says against it is shown. */
async function change(method, path, body) {
  const headers = { "X-DWTSVC": "1", ...(body && { "Content-Type": "application/json" }) };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (answer.status === 204) return {};
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.message);
  return said;
}

async function attempt(button, work) {
  button.disabled = true;
  try {
    say(await work());
  } catch (error) {
    say(error instanceof TypeError ? "The service does not answer." : error.message);
  }
  button.disabled = false;
  await refresh();
}

async function look() {
  say("Asking every driver for its scanners…");
  const { count } = await change("POST", "/web/devices");
  return count === 1 ? "Found one scanner." : `Found ${count} scanners.`;
}

async function forget(origin) {
  await change("DELETE", `/web/origins?${new URLSearchParams({ origin })}`);
  byId("origins-title").focus(); // the button that had it goes away
  return `Forgotten: ${origin} has to ask again.`;
}

async function log(level) {
  await change("PATCH", "/api/server", { logLevel: level });
  return "The log level was changed.";
}

async function copy(text) {
  await navigator.clipboard.writeText(text);
  return `Copied: ${text}`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "look") attempt(button, look);
  if (button.dataset.revoke) attempt(button, () => forget(button.dataset.revoke));
  if (button.dataset.copy) attempt(button, () => copy(button.dataset.copy));
});
document.addEventListener("change", (event) => {
  if (event.target.id === "log-level") attempt(event.target, () => log(Number(event.target.value)));
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());

byId("origins-title").tabIndex = -1;
for (const id of PARTS) shown.set(id, byId(id).innerHTML);
enliven(document);
// Nobody may have asked the drivers since the service began.
if (!byId("devices-list").querySelector("li")) change("POST", "/web/devices").then(refresh, refresh);
setInterval(() => document.hidden || refresh(), EVERY);
