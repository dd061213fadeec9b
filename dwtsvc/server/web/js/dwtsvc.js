// @ts-check
// dwtsvc.js: scanning in the browser, through the dwtsvc service on the user's computer. MIT licence, no dependencies.
//
//   const service = await connect();
//   for await (const page of await service.scan({ resolution: 200 })) show(await page.blob());

/** @import { Options, Prompt } from "./dwtsvc/types.js" */
import { find } from "./dwtsvc/finding.js";
import { Service } from "./dwtsvc/service.js";

/** @typedef {import("./dwtsvc/scanning.js").Job} Job */
/** @typedef {import("./dwtsvc/scanning.js").Page} Page */

export { DwtsvcError } from "./dwtsvc/errors.js";
export { permission, PORTS } from "./dwtsvc/finding.js";
export { Service } from "./dwtsvc/service.js";

/**
 * Find the service, get the user's consent where it is needed, and stay connected. Call it from a click, because the
 * question for consent opens in a window. Rejects with a DwtsvcError that says why there is no service to be had.
 * @param {Options} [options]
 */
export async function connect(options = {}) {
  const service = new Service(options, await find(options));
  await service.begin(options.signal);
  return service;
}

// What not every page needs is loaded when it is called.

/**
 * Tell the user what is wrong and what to do, with a button to try again. What `reconnect` gave, null if it was closed.
 * @template T
 * @param {Prompt<T>} prompt
 * @returns {Promise<T | null>}
 */
export const installPrompt = async (prompt) => (await import("./dwtsvc/prompt.js")).installPrompt(prompt);

/** Send a file to a web server. @type {typeof import("./dwtsvc/upload.js").upload} */
export const upload = async (...args) => (await import("./dwtsvc/upload.js")).upload(...args);

/** Send several files, a few at once. @type {typeof import("./dwtsvc/upload.js").uploadAll} */
export const uploadAll = async (...args) => (await import("./dwtsvc/upload.js")).uploadAll(...args);
