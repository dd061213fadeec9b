import type { Prompt } from "./types.js";
/**
 * Show the dialog. What `reconnect` gave; null if the user closed it.
 * @template T
 * @param {Prompt<T>} prompt
 * @returns {Promise<T | null>}
 */
export declare function installPrompt<T>(prompt: Prompt<T>): Promise<T | null>;
/**
 * A modal dialog whose style no policy of the page forbids and no style of the page reaches. Escape closes it, and the
 * focus goes back to where it was.
 * @param {AbortSignal} [signal]
 */
export declare function openDialog(signal?: AbortSignal): {
    dialog: HTMLDialogElement;
    close: () => void;
};
/**
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {string} text
 * @param {Partial<HTMLElementTagNameMap[N]>} [about]
 * @returns {HTMLElementTagNameMap[N]}
 */
export declare const make: <N extends keyof HTMLElementTagNameMap>(name: N, text: string, about?: Partial<HTMLElementTagNameMap[N]>) => HTMLElementTagNameMap[N];
