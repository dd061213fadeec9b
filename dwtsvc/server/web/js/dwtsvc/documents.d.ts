import type { Source } from "./types.js";
import type { Service } from "./service.js";
/** The documents that this site keeps in the service. */
export declare class Documents {
    #private;
    /** @param {Service} service */
    constructor(service: Service);
    /** The newest first. @returns {Promise<{uid: string, encrypted: boolean}[]>} */
    list(): Promise<{
        uid: string;
        encrypted: boolean;
    }[]>;
    /** @param {{password?: string}} [options] a password has at most 32 characters, and cannot be found out again */
    create({ password }?: {
        password?: string;
    }): Promise<StoredDocument>;
    /**
     * @param {string} uid
     * @param {{password?: string}} [options]
     */
    open(uid: string, { password }?: {
        password?: string;
    }): Promise<StoredDocument>;
}
/** One stored document. */
export declare class StoredDocument {
    #private;
    uid: string;
    /**
     * @param {Service} service
     * @param {string} uid
     * @param {string} password
     */
    constructor(service: Service, uid: string, password: string);
    /** @returns {Promise<{uid: string, pages: {uid: string}[], metadata?: string | Record<string, any>}>} */
    info(): Promise<{
        uid: string;
        pages: {
            uid: string;
        }[];
        metadata?: string | Record<string, any>;
    }>;
    /**
     * Copy a page of a job in, at a place from 0, or at the end.
     * @param {Source} page
     * @param {{at?: number}} [options]
     */
    add(page: Source, { at }?: {
        at?: number;
    }): Promise<any>;
    /** @param {string | number} page its uid, or its index from 0 */
    remove(page: string | number): Promise<any>;
    /** Replace the metadata. @param {string | Record<string, any>} metadata */
    describe(metadata: string | Record<string, any>): Promise<any>;
    /**
     * The document as a file. What else the service may be told stands in its description of `content`.
     * @param {{type?: string, signal?: AbortSignal, [more: string]: any}} [options]
     */
    content({ signal, ...how }?: {
        type?: string;
        signal?: AbortSignal;
        [more: string]: any;
    }): Promise<Blob>;
    delete(): Promise<any>;
}
