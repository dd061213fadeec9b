// @ts-check
// What can go wrong, each with a text for a person and what can be done about it.

/** @import { Action } from "./types.js" */

/** @type {Record<string, [message: string, hint: string, action: Action]>} */
const KNOWN = {
  "not-installed": [
    "The scan service was not found on this computer.",
    "Install it. If your browser has just asked whether this site may reach apps on this device, allow it and try again.",
    "install",
  ],
  "not-running": [
    "The scan service does not answer. It did before on this computer, so it is probably not running.",
    "Start it with “dwtsvc serve”, or restart the computer.",
    "start",
  ],
  "permission-blocked": [
    "Your browser keeps this site from the scan service on this computer.",
    "Open the site's settings beside the address bar, allow “Apps on device” (or “Local network”), and try again.",
    "permit",
  ],
  "origin-not-allowed": [
    "The scan service is running, but this site is not allowed to use it.",
    "Allow it when the service asks you, or with “dwtsvc origins allow” and the address of this site.",
    "ask",
  ],
  "consent-denied": [
    "You decided that this site may not use the scan service.",
    "To change that, run “dwtsvc origins revoke” with the address of this site, then try again.",
    "none",
  ],
  "consent-unanswered": ["The question whether this site may scan was not answered.", "Ask again.", "ask"],
  "popup-blocked": ["Your browser blocked the window that asks for your consent.", "Allow it, or ask again.", "ask"],
  "certificate-untrusted": [
    "The scan service is running, but this browser does not trust its certificate.",
    "Run “dwtsvc cert install”, restart the browser, and try again.",
    "trust",
  ],
  "page-insecure": [
    "The scan service was not reached, and this page was not loaded over https: browsers keep such pages from it.",
    "Open the page with https:// in front of its address.",
    "secure",
  ],
  "version-too-old": ["The scan service is too old for this page.", "Update it: “pip install --upgrade dwtsvc”.", "update"],
  "not-supported": ["The scan service cannot do this.", "Update it: “pip install --upgrade dwtsvc”.", "update"],
  "connection-lost": ["The scan service went away.", "It is looked for; try again when it is back.", "retry"],
  "upload-failed": ["The file could not be uploaded.", "Try again.", "retry"],
};

/**
 * Every error of this library. `code` is one of the words above, or the word that the service has for it, such as
 * `scanner-busy`; `message` and `hint` are for a person. Work that was aborted throws the signal's reason instead.
 */
export class DwtsvcError extends Error {
  /**
   * @param {string} code
   * @param {{message?: string, hint?: string, action?: Action, status?: number, cause?: unknown}} [more]
   */
  constructor(code, more = {}) {
    const [message, hint, action] = KNOWN[code] ?? ["The scan service refused this.", "", "retry"];
    super(more.message || message, { cause: more.cause });
    this.name = "DwtsvcError";
    this.code = code;
    this.hint = more.hint ?? (more.message ? "" : hint);
    /** @type {Action} */
    this.action = more.action ?? action;
    /** The HTTP status with which the service refused, or 0. */
    this.status = more.status ?? 0;
  }
}
