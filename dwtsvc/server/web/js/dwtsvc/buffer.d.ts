import type { Box, Image, Loading, Named, Progress, Reading, Saving, ScanRequest, Target, Which } from "./types.js";
import type { Job } from "./scanning.js";
import type { Service } from "./service.js";
/**
 * Event `change`: `images` is another list; `detail.action` is the method behind it, or `scan`, `load`, `look`, `urls`,
 * `together`.
 */
export declare class Buffer extends EventTarget {
    #private;
    id: string;
    /** What was last seen. @type {Image[]} */
    images: Image[];
    /** @param {Service} service @param {string} id */
    constructor(service: Service, id: string);
    /**
     * Any method of the service's classic protocol.
     * @param {string} method
     * @param {object} [params]
     * @param {AbortSignal} [signal]
     * @returns {Promise<any[]>}
     */
    call(method: string, params?: object, signal?: AbortSignal): Promise<any[]>;
    /** See what is in the buffer. */
    look(action?: string): Promise<Image[]>;
    /** See whether there are more images than before; how many. That is less work than to look at all. */
    grow(action?: string): Promise<number>;
    /** The address of an image in a box of pixels, for an `<img>`. @param {Image} image */
    thumbnail: (image: Image, width?: number, height?: number) => string;
    /**
     * The same as a picture. On https pages browsers may keep an `<img>` from this computer back.
     * @param {Image} image
     * @param {{width?: number, height?: number, signal?: AbortSignal}} [options] the whole image without a size
     */
    picture(image: Image, { width, height, signal }?: {
        width?: number;
        height?: number;
        signal?: AbortSignal;
    }): Promise<Blob>;
    /**
     * Scan into the buffer; `change` tells the pages as they come.
     * @param {ScanRequest} [request]
     * @param {{at?: number, removeBlank?: boolean, onProgress?: (progress: Progress) => void, signal?: AbortSignal}} [options]
     *   the signal stops the scan
     * @returns {Promise<string[]>} the ids of the new images
     */
    scan(request?: ScanRequest, { at, removeBlank, onProgress, signal }?: {
        at?: number;
        removeBlank?: boolean;
        onProgress?: (progress: Progress) => void;
        signal?: AbortSignal;
    }): Promise<string[]>;
    /**
     * Go on showing a scan into the buffer that was begun before the page was loaded again: one of `service.jobs()`.
     * @param {Job} job
     * @param {{onProgress?: (progress: Progress) => void}} [options]
     */
    follow(job: Job, { onProgress }?: {
        onProgress?: (progress: Progress) => void;
    }): Promise<void>;
    /**
     * Load files with all their pages: BMP, JPEG, PNG, TIFF, WebP, GIF, PDF, 64 MiB each.
     * @param {Blob | ArrayBuffer | Iterable<Blob>} files
     * @param {Loading} [options]
     * @returns {Promise<string[]>} the ids of the new images
     */
    load(files: Blob | ArrayBuffer | Iterable<Blob>, { at, dpi, gray, password, signal }?: Loading): Promise<string[]>;
    /**
     * Load what is dropped on an element, or pasted into it, from now on.
     * @param {EventTarget} target
     * @param {Loading & {onError?: (error: unknown) => void}} [options] the signal ends it
     */
    accept(target: EventTarget, { signal, onError, ...how }?: Loading & {
        onError?: (error: unknown) => void;
    }): void;
    /** Put an image where another one is. @param {Which} source @param {Which} target */
    move: (source: Which, target: Which) => Promise<any[]>;
    /** Exchange two images. @param {Which} source @param {Which} target */
    swap: (source: Which, target: Which) => Promise<any[]>;
    /** For good. */
    remove: (which?: Which) => Promise<any[]>;
    /** Remove all that the page sees, for good. */
    clear: () => Promise<any[]>;
    /** Select these and no others. @param {Which} which */
    select: (which: Which) => Promise<any[]>;
    /** The indices of the selected images, in the order of selection. @returns {Promise<number[]>} */
    selected: () => Promise<number[]>;
    /** The index of the current image, -1 without any. @returns {Promise<number>} */
    current: () => Promise<number>;
    /** @param {Which} which */
    setCurrent: (which: Which) => Promise<any[]>;
    /** @param {string} tag @param {Which} [which] */
    tag: (tag: string, which?: Which) => Promise<any[]>;
    /** From all images if `which` is left out. @param {string} tag @param {Which} [which] */
    untag: (tag: string, which?: Which) => Promise<any[]>;
    /** @returns {Promise<Named[]>} */
    tags: () => Promise<Named[]>;
    /** From now on see the images of a tag only; all again without one. @param {string} [name] */
    filter: (name?: string) => Promise<any[]>;
    /** Make an empty document. The images of none are the document with the empty name. @param {string} name */
    createDocument: (name: string) => Promise<any[]>;
    /** From now on see the images of this document only. @param {string} name */
    openDocument: (name: string) => Promise<any[]>;
    /** @param {string} name @param {string} to */
    renameDocument: (name: string, to: string) => Promise<any[]>;
    /** With its images, for good. @param {string} name */
    removeDocument: (name: string) => Promise<any[]>;
    /** @returns {Promise<Named[]>} */
    documents: () => Promise<Named[]>;
    /** @param {string} name @param {Which} [which] */
    copyTo: (name: string, which?: Which) => Promise<any[]>;
    /** @param {string} name @param {Which} [which] */
    moveTo: (name: string, which?: Which) => Promise<any[]>;
    /** Degrees, clockwise. @param {number} angle @param {Which} [which] @param {{keepSize?: boolean}} [how] */
    rotate: (angle: number, which?: Which, how?: {
        keepSize?: boolean;
    }) => Promise<any[]>;
    rotateLeft: (which?: Which) => Promise<any[]>;
    rotateRight: (which?: Which) => Promise<any[]>;
    /** Upside down, as in water. */
    flip: (which?: Which) => Promise<any[]>;
    /** Left and right exchanged. */
    mirror: (which?: Which) => Promise<any[]>;
    deskew: (which?: Which) => Promise<any[]>;
    invert: (which?: Which) => Promise<any[]>;
    toGray: (which?: Which) => Promise<any[]>;
    /** @param {Which} [which] @param {{level?: number}} [how] 1 to 255; found out if left out */
    toBlackAndWhite: (which?: Which, how?: {
        level?: number;
    }) => Promise<any[]>;
    /** @param {1 | 8 | 24} bits @param {Which} [which] */
    setDepth: (bits: 1 | 8 | 24, which?: Which) => Promise<any[]>;
    /** @param {Box} box @param {Which} [which] */
    crop: (box: Box, which?: Which) => Promise<any[]>;
    /** @param {Box & {fill?: string}} box `fill` is `paper` or a colour such as #ffffff @param {Which} [which] */
    erase: (box: Box & {
        fill?: string;
    }, which?: Which) => Promise<any[]>;
    /** @param {{width?: number, height?: number}} size pixels; one is enough @param {Which} [which] */
    resize: (size: {
        width?: number;
        height?: number;
    }, which?: Which) => Promise<any[]>;
    /** @param {number} dpi @param {Which} [which] @param {{resample?: boolean}} [how] */
    setDpi: (dpi: number, which?: Which, how?: {
        resample?: boolean;
    }) => Promise<any[]>;
    /** @param {number} value -1000 to 1000 @param {Which} [which] */
    brightness: (value: number, which?: Which) => Promise<any[]>;
    /** @param {number} value -1000 to 1000 @param {Which} [which] */
    contrast: (value: number, which?: Which) => Promise<any[]>;
    /** Take back the last edit. */
    undo: (which?: Which) => Promise<any[]>;
    /** Do again what was taken back last. */
    redo: (which?: Which) => Promise<any[]>;
    /** @param {Which} which @returns {Promise<{blank: boolean, score: number, reason: string}>} */
    isBlank(which: Which): Promise<{
        blank: boolean;
        score: number;
        reason: string;
    }>;
    /** Degrees by which it leans, clockwise positive. @param {Which} which @returns {Promise<number>} */
    skew: (which: Which) => Promise<number>;
    /** Degrees clockwise that make images upright. @param {Which} [which] */
    orientation: (which?: Which) => Promise<any[]>;
    /** The text of images; `not-supported` where the service cannot read. @param {Which} [which] @param {Reading} [how] */
    readText(which?: Which, { signal, onProgress, ...how }?: Reading): Promise<any>;
    /**
     * Images with their edits as a file: several in a PDF or TIFF, one in any other.
     * @param {Saving} [options]
     */
    save({ signal, onProgress, ...how }?: Saving): Promise<Blob>;
    /**
     * Have the service send images as a file; its status and text are those of the site. Needs the scope `upload`.
     * @param {Saving & Target} options
     */
    sendByService({ signal, onProgress: _, ...how }: Saving & Target): Promise<{
        status: number;
        text: string;
    }>;
    /**
     * Change several things, and look only once what became of it.
     * @template T
     * @param {() => Promise<T>} work
     * @returns {Promise<T>}
     */
    together<T>(work: () => Promise<T>): Promise<T>;
    /** The indices of images, as last seen. @param {Which} [which] @returns {number[] | undefined} */
    indices(which?: Which): number[] | undefined;
}
