// @ts-check
// Jobs: what is asked of a scanner, and the pages as they come.

/** @import { ScanRequest } from "./types.js" */
/** @import { Service } from "./service.js" */
import { DwtsvcError } from "./errors.js";
import { tell } from "./wire.js";

export const MODES = { bw: 0, gray: 1, color: 2 };
export const SIZES = { A4: 1, Letter: 3, Legal: 4, A5: 5, B4: 6, B6: 7, Executive: 10, A3: 11, A6: 13 };
const FRAMES = 4372;
const MM = 25.4;

/** What the service is sent for a request. @param {ScanRequest} request */
export function bodyOf(request) {
  const { device, job } = request;
  const named = typeof device === "object" ? device.device : device;
  return { device: named, config: configOf(request), ...job, caps: capsOf(request) };
}

/** @param {ScanRequest} request @returns {Record<string, unknown>} the `config` of the protocol */
function configOf({ mode, resolution, source, duplex, pageSize, pages, config }) {
  const said = {
    PixelType: mode && MODES[mode],
    Resolution: resolution,
    IfFeederEnabled: source && source === "feeder",
    IfDuplexEnabled: duplex,
    PageSize: pageSize && SIZES[pageSize],
    XferCount: pages,
  };
  return { ...said, ...config };
}

/** The `caps` of the protocol, with a part of the glass among them. @param {ScanRequest} request */
function capsOf({ area, job }) {
  const caps = /** @type {{capabilities?: object[]} | undefined} */ (job?.caps);
  if (!area) return caps;
  const [left, top, width, height] = [area.left, area.top, area.width, area.height].map((each) => each / MM);
  const frame = { capability: FRAMES, curValue: { left, top, right: left + width, bottom: top + height }, exception: "fail" };
  return { ...caps, capabilities: [...(caps?.capabilities ?? []), frame] };
}

/** A scanned page. It stays in the service until its job is deleted. */
export class Page {
  #service;

  /** @param {Service} service @param {any} told */
  constructor(service, told) {
    this.#service = service;
    const { ImageWidth, ImageLength, XResolution, BitsPerPixel } = told.imageInfo;
    /** @type {string} */
    this.id = told.imageuid;
    /** From 0. @type {number} */
    this.index = told.imageId - 1;
    /** Whether it is the back of its sheet. @type {boolean} */
    this.back = told.back;
    /** What other calls take as the source. It needs consent; for an `<img>` make one of `blob()`. @type {string} */
    this.url = told.url;
    /** In pixels. */
    this.width = Number(ImageWidth);
    this.height = Number(ImageLength);
    this.dpi = Number(XResolution);
    this.bitDepth = Number(BitsPerPixel);
  }

  /**
   * @param {{type?: "image/png" | "image/jpeg", signal?: AbortSignal}} [options]
   * @returns {Promise<Blob>}
   */
  async blob({ type = "image/png", signal } = {}) {
    const { pathname, search } = new URL(this.url);
    return (await this.#service.request(`${pathname}${search}&type=${type}`, { signal })).blob();
  }
}

/**
 * A scan. `for await (const page of job)` gives its pages as they come, from the first one, and throws what ended the
 * job after its last good page. Events: `page`, `progress` (detail: page, rows, height) and `state` (detail: status).
 */
export class Job extends EventTarget {
  #service;
  #signal;
  /** @type {Promise<void> | undefined} */
  #watching;
  /** @type {unknown} */
  #error;
  #ended = false;
  #turn = later();

  /**
   * @param {Service} service
   * @param {string} id
   * @param {AbortSignal} [signal] cancels the scan
   */
  constructor(service, id, signal) {
    super();
    this.#service = service;
    this.#signal = signal;
    this.id = id;
    this.path = `/api/device/scanners/jobs/${id}`;
    /** `pending`, `running`, `completed`, `faulted` or `canceled`, as last heard. */
    this.status = "pending";
    /** The pages so far. @type {Page[]} */
    this.pages = [];
    signal?.addEventListener("abort", () => this.cancel().catch(() => {}), { once: true });
  }

  /** Let a prepared job scan. */
  async start() {
    await this.#service.json(this.path, { method: "PATCH", body: { status: "running" } });
  }

  /** Stop the scan; the pages so far stay. */
  async cancel() {
    await this.#service.json(this.path, { method: "PATCH", body: { status: "canceled" } });
  }

  /** Delete the job with its pages; one that runs is canceled first. */
  async delete() {
    await this.#service.json(this.path, { method: "DELETE" });
  }

  /** All pages, when the last one is there. */
  async finished() {
    for await (const _ of this);
    return this.pages;
  }

  /** Begin to tell events, also without a loop over the pages. */
  watch() {
    this.#watching ??= this.#follow().catch((error) => {
      this.#error = error;
      this.#end();
    });
    return this;
  }

  async *[Symbol.asyncIterator]() {
    this.watch();
    for (let next = 0; ; next++) {
      while (next >= this.pages.length && !this.#ended) await this.#turn.promise;
      if (next < this.pages.length) {
        yield this.pages[next];
        continue;
      }
      this.#signal?.throwIfAborted();
      if (this.#error) throw this.#error;
      return;
    }
  }

  async #follow() {
    while (!this.#ended) {
      try {
        // A stream begins with all that has been: what was missed while the service was away is told again.
        for await (const { event, data } of this.#service.events(`${this.path}/events`)) this.#hear(event, data);
      } catch (error) {
        if (!(error instanceof DwtsvcError) || error.code !== "connection-lost") throw error;
        await this.#service.connected();
      }
    }
  }

  /** @param {string} event @param {any} data */
  #hear(event, data) {
    if (event === "page" && data.imageId > this.pages.length) {
      const page = new Page(this.#service, data);
      this.pages.push(page);
      tell(this, "page", page);
    } else if (event === "state" || event === "end") {
      this.status = data.status;
      if (event === "end" && data.status === "faulted")
        this.#error = new DwtsvcError(data.error ?? "scan-failed", { message: data.message, cause: data });
      if (event === "state") tell(this, "state", data);
    } else if (event === "progress") tell(this, "progress", data);
    if (event === "end") this.#end();
    else this.#wake();
  }

  #end() {
    this.#ended = true;
    this.#wake();
  }

  #wake() {
    const { resolve } = this.#turn;
    this.#turn = later();
    resolve(undefined);
  }
}

/** `Promise.withResolvers`, which browsers have since 2024. */
function later() {
  /** @type {(value?: any) => void} */
  let resolve = () => {};
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}
