// @ts-check
// Consent: the page asks, the user answers in a window of the service, the page waits.

/** @import { Options } from "./types.js" */
import { DwtsvcError } from "./errors.js";
import { patiently, pause, reach, refusal } from "./wire.js";

const EVERY = 700; // milliseconds; requests of sites without consent are counted together

/**
 * Wait until the user has allowed this page its scopes. Call it from a click: browsers block other windows.
 * @param {string} base
 * @param {Options} options
 */
export async function ask(base, { scopes = ["list", "scan", "read", "edit"], onConsent, signal }) {
  const wanted = [...new Set([...scopes, "list"])];
  const body = JSON.stringify({ scopes: wanted });
  const { id } = await said(base, "", { method: "POST", headers: { "Content-Type": "application/json" }, body, signal });
  for (let opened = false; ; opened = true) {
    const { state } = await patiently(() => said(base, `/${id}`, { signal }), signal);
    if (state === "allowed") return;
    if (state === "denied") throw new DwtsvcError("consent-denied");
    if (state !== "pending") throw new DwtsvcError("consent-unanswered");
    if (!opened) open(`${base}/consent#${id}`, onConsent);
    await pause(EVERY, signal);
  }
}

/** @param {string} url @param {Options["onConsent"]} onConsent */
function open(url, onConsent) {
  if (onConsent?.(url) === false) return;
  if (!window.open(url, "_blank", "popup,width=560,height=760")) throw new DwtsvcError("popup-blocked");
}

/**
 * @param {string} base
 * @param {string} path
 * @param {RequestInit} init
 */
async function said(base, path, init) {
  const answer = await reach(`${base}/consent/requests${path}`, init).catch((error) => {
    init.signal?.throwIfAborted();
    throw new DwtsvcError("origin-not-allowed", { cause: error }); // the icon was there a moment ago
  });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}
