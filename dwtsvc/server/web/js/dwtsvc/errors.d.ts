import type { Action } from "./types.js";
/**
 * Every error of this library. `code` is one of the words in texts.js, or the word that the service has for it, such as
 * `scanner-busy`; `message` and `hint` are for a person. Work that was aborted throws the signal's reason instead.
 */
export declare class DwtsvcError extends Error {
    code: string;
    hint: string;
    /** @type {Action} */
    action: Action;
    /** The HTTP status with which the service refused, or 0. */
    status: number;
    /**
     * @param {string} code
     * @param {{message?: string, hint?: string, action?: Action, status?: number, cause?: unknown}} [more]
     */
    constructor(code: string, more?: {
        message?: string;
        hint?: string;
        action?: Action;
        status?: number;
        cause?: unknown;
    });
}
