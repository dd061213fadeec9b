import type { Where } from "./types.js";
/** The ports that services of this kind listen on. */
export declare const PORTS: {
    http: number[];
    https: number[];
};
/**
 * What the browser says about this page and programs on this machine. Older browsers have no word for it, some another.
 * @returns {Promise<PermissionState | "unknown">}
 */
export declare function permission(): Promise<PermissionState | "unknown">;
/** Whether this page is one of the service's own, at this address. @param {string} base */
export declare const isOwn: (base: string) => boolean;
/**
 * The address of the service, such as `http://127.0.0.1:18622`.
 * @param {Where} where
 * @returns {Promise<string>}
 */
export declare function find(where: Where): Promise<string>;
