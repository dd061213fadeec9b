import type { ScanRequest } from "./types.js";
import type { Service } from "./service.js";
export declare const MODES: {
    bw: number;
    gray: number;
    color: number;
};
export declare const SIZES: {
    A4: number;
    Letter: number;
    Legal: number;
    A5: number;
    B4: number;
    B6: number;
    Executive: number;
    A3: number;
    A6: number;
};
/** What the service is sent for a request. @param {ScanRequest} request */
export declare function bodyOf(request: ScanRequest): {
    device: string | undefined;
    config: Record<string, unknown>;
    caps: {
        capabilities?: object[];
    } | undefined;
};
/** A scanned page. It stays in the service until its job is deleted. */
export declare class Page {
    #private;
    /** @type {string} */
    id: string;
    /** From 0. @type {number} */
    index: number;
    /** Whether it is the back of its sheet. @type {boolean} */
    back: boolean;
    /** What other calls take as the source. It needs consent; for an `<img>` make one of `blob()`. @type {string} */
    url: string;
    /** In pixels. */
    width: number;
    height: number;
    dpi: number;
    bitDepth: number;
    /** @param {Service} service @param {any} told */
    constructor(service: Service, told: any);
    /**
     * @param {{type?: "image/png" | "image/jpeg", signal?: AbortSignal}} [options]
     * @returns {Promise<Blob>}
     */
    blob({ type, signal }?: {
        type?: "image/png" | "image/jpeg";
        signal?: AbortSignal;
    }): Promise<Blob>;
}
/**
 * A scan. `for await (const page of job)` gives its pages as they come, from the first one, and throws what ended the
 * job after its last good page. Events: `page`, `progress` (detail: page, rows, height) and `state` (detail: status).
 */
export declare class Job extends EventTarget {
    #private;
    id: string;
    path: string;
    /** `pending`, `running`, `completed`, `faulted` or `canceled`, as last heard. */
    status: string;
    /** The pages so far. @type {Page[]} */
    pages: Page[];
    /**
     * @param {Service} service
     * @param {string} id
     * @param {AbortSignal} [signal] cancels the scan
     */
    constructor(service: Service, id: string, signal?: AbortSignal);
    /** Let a prepared job scan. */
    start(): Promise<void>;
    /** Stop the scan; the pages so far stay. */
    cancel(): Promise<void>;
    /** Delete the job with its pages; one that runs is canceled first. */
    delete(): Promise<void>;
    /** All pages, when the last one is there. */
    finished(): Promise<Page[]>;
    /** Begin to tell events, also without a loop over the pages. */
    watch(): this;
    [Symbol.asyncIterator](): AsyncGenerator<Page, void, unknown>;
}
