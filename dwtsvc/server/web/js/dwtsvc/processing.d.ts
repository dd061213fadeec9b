import type { BarcodeReading, BlankLooking, Pages, Reading, Source, Step } from "./types.js";
import type { Service } from "./service.js";
/** @param {Service} service @param {Source} page @param {BarcodeReading} [how] @returns {Promise<any[]>} */
export declare function readBarcodes(service: Service, page: Source, { settings, signal }?: BarcodeReading): Promise<any[]>;
/**
 * @param {Service} service
 * @param {Source} page
 * @param {BlankLooking} [how]
 * @returns {Promise<{result: boolean, score: number, reason: string}>}
 */
export declare function isBlank(service: Service, page: Source, { settings, signal }?: BlankLooking): Promise<{
    result: boolean;
    score: number;
    reason: string;
}>;
/**
 * Its text: `json` as an object, `pdf` as a Blob, other formats as a text.
 * @param {Service} service
 * @param {Source} page
 * @param {Reading} [how]
 * @returns {Promise<any>}
 */
export declare function readText(service: Service, page: Source, { signal, onProgress: _, ...settings }?: Reading): Promise<any>;
/**
 * @param {Service} service
 * @param {Source} page
 * @param {Step[]} steps
 * @param {{type?: string, signal?: AbortSignal}} [how]
 */
export declare function edited(service: Service, page: Source, steps: Step[], { type, signal }?: {
    type?: string;
    signal?: AbortSignal;
}): Promise<Blob>;
/**
 * @param {Service} service
 * @param {import("./types.js").Splitting} stack
 * @returns {Promise<{pages: any[], documents?: {uid: string}[]}>}
 */
export declare const split: (service: Service, { signal, onProgress, ...body }: import("./types.js").Splitting) => Promise<{
    pages: any[];
    documents?: {
        uid: string;
    }[];
}>;
/**
 * The result of work on many pages that tells how far it is. Who aborts it ends it in the service, too.
 * @param {Service} service
 * @param {string} path
 * @param {object} body
 * @param {{onProgress?: (progress: Pages) => void, signal?: AbortSignal}} how
 * @returns {Promise<any>}
 */
export declare function told(service: Service, path: string, body: object, { onProgress, signal }: {
    onProgress?: (progress: Pages) => void;
    signal?: AbortSignal;
}): Promise<any>;
