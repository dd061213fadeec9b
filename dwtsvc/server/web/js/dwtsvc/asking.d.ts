import type { Options } from "./types.js";
/**
 * Wait until the user has allowed this page its scopes. Call it from a click: browsers block other windows.
 * @param {string} base
 * @param {Options} options
 */
export declare function ask(base: string, { scopes, onConsent, signal }: Options): Promise<void>;
