// @ts-check
// What can go wrong, each with a text for a person and what can be done about it.

/** @import { Action } from "./types.js" */
import { explained } from "./texts.js";

/**
 * Every error of this library. `code` is one of the words in texts.js, or the word that the service has for it, such as
 * `scanner-busy`; `message` and `hint` are for a person. Work that was aborted throws the signal's reason instead.
 */
export class DwtsvcError extends Error {
  /**
   * @param {string} code
   * @param {{message?: string, hint?: string, action?: Action, status?: number, cause?: unknown}} [more]
   */
  constructor(code, more = {}) {
    const [message, hint, action] = explained(code);
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
