// @ts-check
// The shapes that the other modules speak of. Nothing here runs, and no page loads it: they are read by editors and tsc.

/** @import { DwtsvcError } from "./errors.js" */

/**
 * What a page can offer its user: install, start or update the service, permit the browser, ask for consent, trust the
 * certificate, load the page over https, try again; or nothing.
 * @typedef {"install" | "start" | "update" | "permit" | "ask" | "trust" | "secure" | "retry" | "none"} Action
 */

// ---- connecting ----

/** @typedef {"list" | "scan" | "read" | "edit" | "upload" | "camera"} Scope */
/**
 * @typedef {object} Where
 * @property {{http?: number[], https?: number[]}} [ports] other ports than the usual ones
 * @property {boolean} [https] true: encrypted only; false: never; else a page that is encrypted prefers it
 * @property {string} [host] `127.0.0.1` if left out
 * @property {(state: PermissionState) => void} [onPermission] told before the browser asks its user
 * @property {AbortSignal} [signal] ends the search
 */
/**
 * @typedef {object} Question
 * @property {Scope[]} [scopes] what the page needs; `list`, `scan`, `read` and `edit` if left out
 * @property {(url: string) => unknown} [onConsent] told the address of the question; false: the page opens it itself
 * @property {boolean} [ask] false: do not ask for consent, but throw `origin-not-allowed`
 */
/**
 * @typedef {object} More
 * @property {string} [minVersion] of the service, such as `0.2`
 * @property {number} [heartbeat] milliseconds between two looks whether the service is still there; 0 is never
 */
/** @typedef {Where & Question & More} Options */
/** @typedef {"connected" | "lost" | "refused" | "closed"} State */
/**
 * @typedef {object} Call
 * @property {string} [method] GET if left out
 * @property {BodyInit | object} [body] an object is sent as JSON
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal | null} [signal]
 */

// ---- scanners and jobs ----

/** @typedef {"scanner" | "camera" | "recording"} Kind */
/** @typedef {{name: string, type: number, device: string, id: string, virtual: boolean, kind: Kind, also: string[]}} Device */
/** @typedef {{event: "scanners", data: Device[]} | {event: "appeared" | "vanished", data: Device}} DeviceChange */
/** @typedef {{capability: {value: number, label: string}, [more: string]: any}} Capability as the protocol has it */
/** @typedef {"bw" | "gray" | "color"} Mode */
/** @typedef {"A3" | "A4" | "A5" | "A6" | "B4" | "B6" | "Letter" | "Legal" | "Executive"} PageSize */
/**
 * @typedef {object} Abilities
 * @property {boolean} feeder
 * @property {boolean} duplex
 * @property {Mode[]} modes
 * @property {number[] | null} resolutions dpi; null where it is a range, from `least` to `most`
 * @property {number | null} least
 * @property {number | null} most
 * @property {PageSize[]} pageSizes
 * @property {number} width millimetres
 * @property {number} height
 */
/** @typedef {{left: number, top: number, width: number, height: number}} Area millimetres, from the left upper corner */
/** @typedef {{page: number, rows: number, height: number}} Progress of a scan: rows of the page; its height may be 0 */
/** @typedef {{page: number, pages: number}} Pages how many of how many are done */
/**
 * @typedef {object} ScanRequest
 * @property {string | {device: string}} [device] of `devices()`, or its id; the last one used if left out
 * @property {Mode} [mode]
 * @property {number} [resolution] dpi
 * @property {"feeder" | "glass"} [source]
 * @property {boolean} [duplex]
 * @property {PageSize} [pageSize]
 * @property {number} [pages] at most so many; all if left out
 * @property {Area} [area] only this part of the glass
 * @property {Record<string, unknown>} [config] by the names of the protocol; wins over those above
 * @property {Record<string, unknown>} [job] more keys of the REST API, such as `settings` or `caps`
 */
/** @typedef {string | {url: string}} Source a page of a job, or its url */
/** @typedef {{name: string, values?: Record<string, unknown>}} Step */
/**
 * @typedef {object} Reading
 * @property {string} [language] such as `eng` or `eng+deu`; that of the service's settings if left out
 * @property {boolean} [fast] at 150 dpi
 * @property {number} [psm] how the page is laid out, as tesseract numbers it; not for a buffer
 * @property {boolean} [rotate] turn it upright first
 * @property {boolean} [deskew] straighten it first; not for a buffer
 * @property {"json" | "text" | "hocr" | "alto" | "tsv" | "pdf"} [format] `json` if left out
 * @property {(progress: Pages) => void} [onProgress] of images of a buffer
 * @property {AbortSignal} [signal] ends it
 */
/** @typedef {{settings?: string, signal?: AbortSignal}} BarcodeReading `BestCoverage`, `Balance` or `BestSpeed` */
/** @typedef {{settings?: {minBlockHeight: number, maxBlockHeight: number}, signal?: AbortSignal}} BlankLooking pixels */
/**
 * @typedef {object} Splitting
 * @property {string} [jobuid] the pages of a job; or of `document`, or `sources`
 * @property {string} [document]
 * @property {string[]} [sources]
 * @property {string[]} [separators] such as `patcht`, `code128:^INV` or `blank:2`
 * @property {boolean} [dropBlank]
 * @property {boolean} [duplex]
 * @property {boolean} [create] make stored documents
 * @property {string} [password] of these
 * @property {(progress: Pages) => void} [onProgress]
 * @property {AbortSignal} [signal]
 */

// ---- the image buffer ----

/**
 * @typedef {object} Image
 * @property {string} id stays the same wherever the image is moved to
 * @property {number} index from 0
 * @property {number} width pixels
 * @property {number} height pixels
 * @property {number} dpi
 * @property {number} bitDepth
 * @property {number} size bytes on the disk
 * @property {string[]} tags
 * @property {Step[]} steps the edits
 * @property {string} url for an `<img>`, for ten minutes; `buffer.images` has fresh ones in time
 */
/**
 * Images by index, by id, or as they are. Left out, the selected ones are meant, else the current one.
 * @typedef {number | string | Image | (number | string | Image)[]} Which
 */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Box pixels; right and bottom are not in it */
/**
 * @typedef {object} Loading
 * @property {number} [at] before this index; at the end if left out
 * @property {number} [dpi] at which PDF pages are drawn, 200 if left out
 * @property {boolean} [gray] draw PDF pages so
 * @property {string} [password] of a PDF
 * @property {AbortSignal} [signal]
 */
/**
 * @typedef {object} Saving
 * @property {"pdf" | "tiff" | "png" | "jpeg" | "bmp" | "webp"} [type] PDF if left out
 * @property {"2b" | "3b"} [pdfa] make the PDF one of PDF/A
 * @property {string} [ocr] make the PDF searchable: the languages of its text, such as `eng+deu`
 * @property {Which} [which] all images if left out
 * @property {number} [quality] of JPEG, 1 to 100
 * @property {string} [compression] of TIFF
 * @property {string} [title] of PDF
 * @property {(progress: Pages) => void} [onProgress] while pages are read for `ocr`
 * @property {AbortSignal} [signal] ends it
 */
/**
 * @typedef {object} Target
 * @property {string} url of the site of the page, or one that the owner of the service allows
 * @property {"POST" | "PUT"} [method] POST sends a form with the file in it, PUT the file alone
 * @property {string} [fieldName] `RemoteFile` if left out
 * @property {string} [fileName]
 * @property {Record<string, string>} [fields] more fields of the form
 * @property {Record<string, string>} [headers]
 */
/** @typedef {{name: string, imageIds: string[]}} Named a tag or a document */

// ---- upload from the page ----

/**
 * @typedef {object} Sending
 * @property {boolean} [withCredentials] send the cookies of another site than this page's
 * @property {number} [segment] bytes; a larger file goes in pieces of this size, each with `Content-Range`, `X-Upload-Id`
 *   and `X-Upload-Name`. The server puts them together, in whatever order they arrive
 * @property {number} [parallel] segments, or files, at once; 2 if left out
 * @property {number} [retries] of a request that failed; 3 if left out
 * @property {(progress: {loaded: number, total: number}) => void} [onProgress] bytes of the file
 * @property {AbortSignal} [signal] cancels
 */
/** @typedef {Target & Sending} Upload to any site that allows it */
/** @typedef {{status: number, text: string}} Reply */

// ---- the dialog ----

/**
 * Every text of the dialog; `{app}` and `{os}` are filled in. A page in another language brings its own.
 * @typedef {Record<"title" | "app" | "install" | "start" | "more" | "reconnect" | "reconnecting" | "close", string>} Texts
 */
/**
 * @template T
 * @typedef {object} Prompt
 * @property {() => Promise<T>} reconnect what the button does: `() => connect(options)`
 * @property {unknown} [error] why `connect` failed
 * @property {string} [appName]
 * @property {string} [link] of a page that tells how to install the service, or of an installer
 * @property {string} [command] in place of the one shown
 * @property {Partial<Texts>} [texts]
 * @property {(error: DwtsvcError) => {message: string, hint: string}} [translate] an error into the page's language
 * @property {AbortSignal} [signal] closes the dialog
 */

export {};
