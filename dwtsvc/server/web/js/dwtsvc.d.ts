import type { Options, Prompt } from "./dwtsvc/types.js";
import { Service } from "./dwtsvc/service.js";
export type Job = import("./dwtsvc/scanning.js").Job;
export type Page = import("./dwtsvc/scanning.js").Page;
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
export declare function connect(options?: Options): Promise<Service>;
/**
 * Tell the user what is wrong and what to do, with a button to try again. What `reconnect` gave, null if it was closed.
 * @template T
 * @param {Prompt<T>} prompt
 * @returns {Promise<T | null>}
 */
export declare const installPrompt: <T>(prompt: Prompt<T>) => Promise<T | null>;
/** Send a file to a web server. @type {typeof import("./dwtsvc/upload.js").upload} */
export declare const upload: typeof import("./dwtsvc/upload.js").upload;
/** Send several files, a few at once. @type {typeof import("./dwtsvc/upload.js").uploadAll} */
export declare const uploadAll: typeof import("./dwtsvc/upload.js").uploadAll;
