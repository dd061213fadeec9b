// @ts-check
// The image buffer: an ordered, editable list of pages. It lives in the service; here is what was last seen of it.

/** @import { Box, Image, Loading, Named, Progress, Reading, Saving, ScanRequest, Target, Which } from "./types.js" */
/** @import { Job } from "./scanning.js" */
/** @import { Service } from "./service.js" */
import { DwtsvcError } from "./errors.js";
import { isOwn } from "./finding.js";
import { told } from "./processing.js";
import { pause, tell } from "./wire.js";

const RENEW = 8 * 60_000; // milliseconds; the service signs the addresses of images for ten minutes
const IDLE = 600; // seconds that the service keeps the job of a scan whose page went away
const LATEST = 200; // milliseconds between two looks for a page, at most

/**
 * Event `change`: `images` is another list; `detail.action` is the method behind it, or `scan`, `load`, `look`, `urls`,
 * `together`.
 */
export class Buffer extends EventTarget {
  #service;
  #renewal = 0;
  #together = 0;

  /** @param {Service} service @param {string} id */
  constructor(service, id) {
    super();
    this.#service = service;
    this.id = id;
    /** What was last seen. @type {Image[]} */
    this.images = [];
  }

  /**
   * Any method of the service's classic protocol.
   * @param {string} method
   * @param {object} [params]
   * @param {AbortSignal} [signal]
   * @returns {Promise<any[]>}
   */
  async call(method, params = {}, signal) {
    const body = { id: this.id, params };
    const answer = await this.#service.feature(`/f/${method}`, { method: "POST", body, signal });
    return (await answer.json()).result;
  }

  /** See what is in the buffer. */
  async look(action = "look") {
    this.#show(await this.call("GetImages"), action);
    return this.images;
  }

  /** See whether there are more images than before; how many. That is less work than to look at all. */
  async grow(action = "look") {
    const [count] = await this.call("HowManyImagesInBuffer");
    const before = this.images.length;
    if (count === before) return 0;
    const indices = Array.from({ length: count - before }, (_, at) => before + at);
    const known = new Set(this.images.map(({ id }) => id));
    const fresh = count > before ? await this.call("GetImages", { indices }) : [];
    // Others may have put images between them meanwhile, or have seen these already.
    if (before !== this.images.length) return 0;
    if (!fresh.length || fresh.some(({ id }) => known.has(id))) await this.look(action);
    else this.#show([...this.images, ...fresh], action);
    return Math.max(0, this.images.length - before);
  }

  /** @param {any[]} found @param {string} action */
  #show(found, action) {
    this.images = found.map((each) => ({ ...each, url: this.#address(each) }));
    clearTimeout(this.#renewal);
    if (found.length && !isOwn(this.#service.base))
      this.#renewal = window.setTimeout(() => this.#renew().catch(() => {}), RENEW);
    tell(this, "change", { action });
  }

  /** It changes with the image, so that nobody shows an old one; and it means this image wherever it is moved to. */
  #address(/** @type {Image} */ { url, steps }) {
    if (!url.startsWith("/")) return url;
    const { base } = this.#service;
    // A page of the service needs no signature; without the index the address stays the same when others move.
    const bare = isOwn(base) ? url.replace(/&sig=[^&]*/, "").replace(/&index=\d+/, "&index=0") : url;
    return `${base}${bare}&t=${version(steps)}`;
  }

  async #renew() {
    await this.#service.connected();
    await this.look("urls");
  }

  /** The address of an image in a box of pixels, for an `<img>`. @param {Image} image */
  thumbnail = (image, width = -1, height = width) => `${image.url}&width=${width}&height=${height}`;

  /**
   * The same as a picture. On https pages browsers may keep an `<img>` from this computer back.
   * @param {Image} image
   * @param {{width?: number, height?: number, signal?: AbortSignal}} [options] the whole image without a size
   */
  async picture(image, { width, height, signal } = {}) {
    const { pathname, search } = new URL(this.thumbnail(image, width, height));
    return (await this.#service.request(pathname + search, { signal })).blob();
  }

  // ---- in ----

  /**
   * Scan into the buffer; `change` tells the pages as they come.
   * @param {ScanRequest} [request]
   * @param {{at?: number, removeBlank?: boolean, onProgress?: (progress: Progress) => void, signal?: AbortSignal}} [options]
   *   the signal stops the scan
   * @returns {Promise<string[]>} the ids of the new images
   */
  async scan(request = {}, { at, removeBlank, onProgress, signal } = {}) {
    signal?.throwIfAborted();
    const prepared = { ...request, job: { jobTimeout: IDLE, ...request.job, autoRun: false } };
    const job = await this.#service.scan(prepared, { signal });
    const ended = new AbortController();
    let left = false;
    this.#watch(job, ended.signal, onProgress);
    try {
      return (await this.call("AcquireImage", { job: job.id, insertAt: at, removeBlank }))[0];
    } catch (error) {
      // A page that is loaded again loses its connection first: the scan goes on without it.
      left = error instanceof DwtsvcError && error.code === "connection-lost";
      throw signal?.aborted ? signal.reason : error;
    } finally {
      ended.abort();
      if (!left) await job.delete().catch(() => {});
      await (at === undefined ? this.grow("scan") : this.look("scan")).catch(() => {}); // the scan's own error says more
    }
  }

  /**
   * Go on showing a scan into the buffer that was begun before the page was loaded again: one of `service.jobs()`.
   * @param {Job} job
   * @param {{onProgress?: (progress: Progress) => void}} [options]
   */
  async follow(job, { onProgress } = {}) {
    const ended = new AbortController();
    const arrived = this.#watch(job, ended.signal, onProgress);
    try {
      await job.finished();
      await arrived();
    } finally {
      ended.abort();
      await this.grow("scan").catch(() => {});
      await job.delete().catch(() => {});
    }
  }

  /**
   * See the pages of a job as they come; gives what waits until all are here.
   * @param {Job} job
   * @param {AbortSignal} ended
   * @param {((progress: Progress) => void)} [onProgress]
   */
  #watch(job, ended, onProgress) {
    let arriving = Promise.resolve();
    job.addEventListener("progress", (event) => onProgress?.(/** @type {CustomEvent} */ (event).detail));
    job.addEventListener("page", () => void (arriving = arriving.then(() => this.#arrive(ended))));
    job.watch();
    return () => arriving;
  }

  /** A page is in its job; a moment later it is here, unless it is blank and not wanted. @param {AbortSignal} ended */
  async #arrive(ended) {
    for (let wait = 10; !ended.aborted && wait < LATEST; wait *= 1.3) {
      if (await this.grow("scan").catch(() => 0)) return;
      await pause(wait, ended).catch(() => {});
    }
  }

  /**
   * Load files with all their pages: BMP, JPEG, PNG, TIFF, WebP, GIF, PDF, 64 MiB each.
   * @param {Blob | ArrayBuffer | Iterable<Blob>} files
   * @param {Loading} [options]
   * @returns {Promise<string[]>} the ids of the new images
   */
  async load(files, { at, dpi, gray, password, signal } = {}) {
    /** @type {string[]} */
    const ids = [];
    const headers = { "Content-Type": "application/octet-stream", ...(password && { "DWT-DOC-PASSWORD": password }) };
    try {
      for (const body of files instanceof Blob || files instanceof ArrayBuffer ? [files] : files) {
        const how = { id: this.id, insertAt: at === undefined ? at : at + ids.length, dpi, gray };
        const said = Object.entries(how).filter(([, value]) => value !== undefined);
        const path = `/f/LoadFile?${new URLSearchParams(said.map(([name, value]) => [name, String(value)]))}`;
        ids.push(...(await this.#service.json(path, { method: "POST", body, headers, signal })).result[0]);
      }
    } finally {
      await this.look("load").catch(() => {});
    }
    return ids;
  }

  /**
   * Load what is dropped on an element, or pasted into it, from now on.
   * @param {EventTarget} target
   * @param {Loading & {onError?: (error: unknown) => void}} [options] the signal ends it
   */
  accept(target, { signal, onError, ...how } = {}) {
    const take = (/** @type {any} */ event) => {
      const files = [...((event.dataTransfer ?? event.clipboardData)?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.load(files, how).catch((error) => onError?.(error));
    };
    for (const name of ["drop", "paste"]) target.addEventListener(name, take, { signal });
    target.addEventListener("dragover", (event) => event.preventDefault(), { signal });
  }

  // ---- order, selection, tags, documents ----

  /** Put an image where another one is. @param {Which} source @param {Which} target */
  move = (source, target) => this.#change("MoveImage", { source: this.#one(source), target: this.#one(target) });

  /** Exchange two images. @param {Which} source @param {Which} target */
  swap = (source, target) => this.#change("SwitchImage", { source: this.#one(source), target: this.#one(target) });

  /** For good. */
  remove = this.#edit("RemoveImages");

  /** Remove all that the page sees, for good. */
  clear = () => this.#change("RemoveAllImages");

  /** Select these and no others. @param {Which} which */
  select = (which) => this.call("SelectImages", { indices: this.indices(which) });

  /** The indices of the selected images, in the order of selection. @returns {Promise<number[]>} */
  selected = async () => (await this.call("GetSelectedImages"))[0];

  /** The index of the current image, -1 without any. @returns {Promise<number>} */
  current = async () => (await this.call("CurrentImageIndexInBuffer"))[0];

  /** @param {Which} which */
  setCurrent = (which) => this.call("SetCurrentImageIndexInBuffer", { index: this.#one(which) });

  /** @param {string} tag @param {Which} [which] */
  tag = (tag, which) => this.#change("TagImages", { tag }, which);

  /** From all images if `which` is left out. @param {string} tag @param {Which} [which] */
  untag = (tag, which) => this.#change("RemoveTag", { tag }, which);

  /** @returns {Promise<Named[]>} */
  tags = () => this.call("GetTagList");

  /** From now on see the images of a tag only; all again without one. @param {string} [name] */
  filter = (name) => (name ? this.#change("FilterImagesByTag", { name }) : this.#change("ClearFilter"));

  /** Make an empty document. The images of none are the document with the empty name. @param {string} name */
  createDocument = (name) => this.call("CreateDocument", { name });

  /** From now on see the images of this document only. @param {string} name */
  openDocument = (name) => this.#change("OpenDocument", { name });

  /** @param {string} name @param {string} to */
  renameDocument = (name, to) => this.call("RenameDocument", { name, to });

  /** With its images, for good. @param {string} name */
  removeDocument = (name) => this.#change("RemoveDocument", { name });

  /** @returns {Promise<Named[]>} */
  documents = () => this.call("GetDocumentInfoList");

  /** @param {string} name @param {Which} [which] */
  copyTo = (name, which) => this.#change("CopyToDocument", { name }, which);

  /** @param {string} name @param {Which} [which] */
  moveTo = (name, which) => this.#change("MoveToDocument", { name }, which);

  // ---- edits; all of them can be undone ----

  /** Degrees, clockwise. @param {number} angle @param {Which} [which] @param {{keepSize?: boolean}} [how] */
  rotate = (angle, which, how) => this.#change("Rotate", { angle, ...how }, which);
  rotateLeft = this.#edit("RotateLeft");
  rotateRight = this.#edit("RotateRight");
  /** Upside down, as in water. */
  flip = this.#edit("Flip");
  /** Left and right exchanged. */
  mirror = this.#edit("Mirror");
  deskew = this.#edit("Deskew");
  invert = this.#edit("Invert");
  toGray = this.#edit("ConvertToGrayScale");

  /** @param {Which} [which] @param {{level?: number}} [how] 1 to 255; found out if left out */
  toBlackAndWhite = (which, how) => this.#change("ConvertToBW", { ...how }, which);

  /** @param {1 | 8 | 24} bits @param {Which} [which] */
  setDepth = (bits, which) => this.#change("ChangeBitDepth", { bits }, which);

  /** @param {Box} box @param {Which} [which] */
  crop = (box, which) => this.#change("Crop", box, which);

  /** @param {Box & {fill?: string}} box `fill` is `paper` or a colour such as #ffffff @param {Which} [which] */
  erase = (box, which) => this.#change("Erase", box, which);

  /** @param {{width?: number, height?: number}} size pixels; one is enough @param {Which} [which] */
  resize = (size, which) => this.#change("ChangeImageSize", size, which);

  /** @param {number} dpi @param {Which} [which] @param {{resample?: boolean}} [how] */
  setDpi = (dpi, which, how) => this.#change("SetDPI", { dpi, ...how }, which);

  /** @param {number} value -1000 to 1000 @param {Which} [which] */
  brightness = (value, which) => this.#change("ChangeBrightness", { value }, which);

  /** @param {number} value -1000 to 1000 @param {Which} [which] */
  contrast = (value, which) => this.#change("ChangeContrast", { value }, which);

  /** Take back the last edit. */
  undo = this.#edit("Undo");
  /** Do again what was taken back last. */
  redo = this.#edit("Redo");

  // ---- what is on an image ----

  /** @param {Which} which @returns {Promise<{blank: boolean, score: number, reason: string}>} */
  async isBlank(which) {
    const [blank, score, reason] = await this.call("IsBlankImage", { index: this.#one(which) });
    return { blank, score, reason };
  }

  /** Degrees by which it leans, clockwise positive. @param {Which} which @returns {Promise<number>} */
  skew = async (which) => (await this.call("GetSkewAngle", { index: this.#one(which) }))[0];

  /** Degrees clockwise that make images upright. @param {Which} [which] */
  orientation = (which) => this.call("DetectPageOrientation", { indices: this.indices(which) });

  /** The text of images; `not-supported` where the service cannot read. @param {Which} [which] @param {Reading} [how] */
  async readText(which, { signal, onProgress, ...how } = {}) {
    const params = { indices: this.indices(which), ...how };
    if (!onProgress) return this.call("Recognize", params, signal);
    const body = { id: this.id, params };
    return (await told(this.#service, "/f/Recognize", body, { onProgress, signal })).result;
  }

  // ---- out ----

  /**
   * Images with their edits as a file: several in a PDF or TIFF, one in any other.
   * @param {Saving} [options]
   */
  async save({ signal, onProgress, ...how } = {}) {
    const { ocr: language, which = this.images } = how;
    // What was read is remembered by the service: the file is made at once then.
    if (language && onProgress) await this.readText(which, { language, format: "text", onProgress, signal });
    const body = { id: this.id, params: this.#saved(how) };
    return (await this.#service.feature("/f/SaveImages", { method: "POST", body, signal })).blob();
  }

  /**
   * Have the service send images as a file; its status and text are those of the site. Needs the scope `upload`.
   * @param {Saving & Target} options
   */
  async sendByService({ signal, onProgress: _, ...how }) {
    const params = { ...this.#saved(how), url: new URL(how.url, location.href).href };
    const [status, text] = await this.call("HTTPUpload", params, signal);
    return { status: Number(status), text: String(text) };
  }

  /** @param {Saving} how */
  #saved({ which = this.images, ...how }) {
    return { ...how, indices: this.indices(which) };
  }

  // ---- behind them ----

  /**
   * Change several things, and look only once what became of it.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async together(work) {
    this.#together++;
    try {
      return await work();
    } finally {
      if (--this.#together === 0) await this.look("together");
    }
  }

  /** The indices of images, as last seen. @param {Which} [which] @returns {number[] | undefined} */
  indices(which) {
    return which === undefined ? which : [which].flat().map((each) => this.#one(each));
  }

  /** @param {Which} which @returns {number} */
  #one(which) {
    if (typeof which === "number") return which;
    if (Array.isArray(which)) return this.#one(which[0]);
    return this.images.findIndex(({ id }) => id === (typeof which === "string" ? which : which.id));
  }

  /** @param {string} method @returns {(which?: Which) => Promise<any[]>} */
  #edit(method) {
    return (which) => this.#change(method, {}, which);
  }

  /**
   * @param {string} method
   * @param {object} [params]
   * @param {Which} [which]
   */
  async #change(method, params = {}, which) {
    const result = await this.call(method, { ...params, indices: this.indices(which) });
    if (!this.#together) await this.look(method);
    return result;
  }
}

/** A short text that changes with the edits of an image. @param {object[]} steps */
function version(steps) {
  let hash = steps.length;
  for (const letter of JSON.stringify(steps)) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0;
  return (hash >>> 0).toString(36);
}
