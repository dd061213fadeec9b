import type { Action, Texts } from "./types.js";
/** @import { Action, Texts } from "./types.js" */
/** A word, what can be done, then message and hint in each language. @type {Record<string, [Action, ...string[]]>} */
export declare const ERRORS: Record<string, [Action, ...string[]]>;
/** What an error is called, and what can be done. @param {string} code @returns {[string, string, Action]} */
export declare function explained(code: string): [string, string, Action];
/** The texts of the dialogs. */
export declare function spoken(): Texts & {
    choose: string;
    cancel: string;
};
