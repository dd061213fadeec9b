import { DwtsvcError } from "./errors.js";
/**
 * `fetch` of something on this machine.
 * @param {string} url
 * @param {RequestInit} [init]
 */
export declare const reach: (url: string, init?: RequestInit) => Promise<Response>;
/**
 * The error that an answer of the service is.
 * @param {Response} answer
 */
export declare function refusal(answer: Response): Promise<DwtsvcError>;
/**
 * Try again what a service that is known to be there did not let us read: it may be busy, or starting again.
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<T>}
 */
export declare function patiently<T>(attempt: () => Promise<T>, signal?: AbortSignal | null): Promise<T>;
/**
 * @param {number} milliseconds
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<void>}
 */
export declare function pause(milliseconds: number, signal?: AbortSignal | null): Promise<void>;
/**
 * The server-sent events of an answer. EventSource is no help: it sends no headers and cannot tell why it failed.
 * @param {Response} answer
 * @returns {AsyncGenerator<{event: string, data: any}, void, void>}
 */
export declare function events(answer: Response): AsyncGenerator<{
    event: string;
    data: any;
}, void, void>;
/**
 * @param {EventTarget} target
 * @param {string} name
 * @param {object} [detail]
 */
export declare const tell: (target: EventTarget, name: string, detail?: object) => boolean;
