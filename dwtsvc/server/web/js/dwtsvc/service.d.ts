import type { BarcodeReading, BlankLooking, Call, Device, Options } from "./types.js";
import type { Reading, ScanRequest, Source, Splitting, State, Step } from "./types.js";
/**
 * The service, as `connect` found it. Its event `state` tells with `detail.state` when it goes away, comes back
 * (`connected`), or comes back without consent for this page (`refused`, with `detail.error`).
 */
export declare class Service extends EventTarget {
    #private;
    options: Options;
    /** The address of the service; another one when it comes back at another port. */
    base: string;
    version: string;
    /** @type {State} */
    state: State;
    /** @param {Options} options @param {string} base */
    constructor(options: Options, base: string);
    /** Whether requests go over TLS. */
    get encrypted(): boolean;
    /**
     * See that this page may use the service, which is new enough. Called by `connect`.
     * @param {AbortSignal} [signal]
     */
    begin(signal?: AbortSignal): Promise<void>;
    /** Ask the user again, after the state was `refused`. Call it from a click. @param {AbortSignal} [signal] */
    askAgain(signal?: AbortSignal): Promise<void>;
    /** Do nothing more; what runs in the service goes on. */
    close(): void;
    /**
     * A request, with what was refused as a DwtsvcError.
     * @param {string} path
     * @param {Call} [call]
     * @returns {Promise<Response>}
     */
    request(path: string, { method, body, headers, signal }?: Call): Promise<Response>;
    /**
     * @param {string} path
     * @param {Call} [call]
     * @returns {Promise<any>}
     */
    json(path: string, call?: Call): Promise<any>;
    /**
     * As `request`, for what an older service may not have: `not-supported` then.
     * @param {string} path
     * @param {Call} call
     */
    feature(path: string, call: Call): Promise<Response>;
    /**
     * The events of an address until it ends; `connection-lost` if it breaks.
     * @param {string} path
     * @param {AbortSignal | null} [signal]
     * @returns {AsyncGenerator<{event: string, data: any}, void, void>}
     */
    events(path: string, signal?: AbortSignal | null): AsyncGenerator<{
        event: string;
        data: any;
    }, void, void>;
    /**
     * Wait until the service is there again.
     * @param {AbortSignal | null} [signal]
     * @returns {Promise<void>}
     */
    connected(signal?: AbortSignal | null): Promise<void>;
    /** @param {{type?: number, refresh?: boolean, signal?: AbortSignal}} [wanted] `type` is a sum of scanner types */
    devices({ type, refresh, signal }?: {
        type?: number;
        refresh?: boolean;
        signal?: AbortSignal;
    }): Promise<Device[]>;
    /**
     * All scanners, then those that come and go; over restarts of the service too.
     * @param {{signal?: AbortSignal}} [options]
     */
    watchDevices({ signal }?: {
        signal?: AbortSignal;
    }): AsyncGenerator<import("./types.js").DeviceChange, void, void>;
    /**
     * What a scanner can do, as the protocol tells it; `caps` are the numbers of those wanted.
     * @param {string | Device} device
     * @param {{caps?: number[], signal?: AbortSignal}} [options]
     */
    capabilities: (device: string | Device, options?: {
        caps?: number[];
        signal?: AbortSignal;
    }) => Promise<import("./types.js").Capability[]>;
    /** The same in the words of a request. @param {string | Device} device @param {{signal?: AbortSignal}} [options] */
    abilities: (device: string | Device, { signal }?: {
        signal?: AbortSignal;
    }) => Promise<import("./types.js").Abilities>;
    /**
     * Scan: `for await (const page of job)`. With `job: {autoRun: false}` it waits for its `start()`.
     * @param {ScanRequest} [request]
     * @param {{signal?: AbortSignal}} [options] the signal cancels the scan
     */
    scan(request?: ScanRequest, { signal }?: {
        signal?: AbortSignal;
    }): Promise<import("./scanning.js").Job>;
    /** The jobs of this site, the newest first: a page that was loaded again finds its scan among them. */
    jobs(): Promise<(import("./scanning.js").Job & {
        status: string;
    })[]>;
    /** The image buffer of a name, with what is in it. The service keeps it, also over a reload. */
    buffer(id?: string): Promise<import("./buffer.js").Buffer>;
    /** What this site stores on this computer. */
    documents(): Promise<import("./documents.js").Documents>;
    /** @param {Source} page @param {BarcodeReading} [how] */
    readBarcodes: (page: Source, how?: BarcodeReading) => Promise<any[]>;
    /** Its text; `not-supported` where the service cannot read. @param {Source} page @param {Reading} [how] */
    readText: (page: Source, how?: Reading) => Promise<any>;
    /** The languages that text can be read in. @returns {Promise<{languages: string[], default: string}>} */
    languages: () => Promise<{
        languages: string[];
        default: string;
    }>;
    /** @param {Source} page @param {BlankLooking} [how] */
    isBlank: (page: Source, how?: BlankLooking) => Promise<{
        result: boolean;
        score: number;
        reason: string;
    }>;
    /** It as a file; the page stays as it is. @param {Source} page @param {Step[]} steps @param {{type?: string}} [how] */
    edited: (page: Source, steps: Step[], how?: {
        type?: string;
    }) => Promise<Blob>;
    /** What becomes of the pages of a stack. @param {Splitting} stack */
    split: (stack: Splitting) => Promise<{
        pages: any[];
        documents?: {
            uid: string;
        }[];
    }>;
}
