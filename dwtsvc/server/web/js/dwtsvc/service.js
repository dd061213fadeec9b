// @ts-check
// The connection to the service: requests, what becomes of them, and finding the service again when it was away.

/** @import { BarcodeReading, BlankLooking, Call, Capability, Device, DeviceChange, Options } from "./types.js" */
/** @import { Reading, ScanRequest, Source, Splitting, State, Step } from "./types.js" */
import { ask } from "./asking.js";
import { DwtsvcError } from "./errors.js";
import { find } from "./finding.js";
import { configOf, deviceOf, Job } from "./scanning.js";
import { events, pause, reach, refusal, tell } from "./wire.js";

const SCANNERS = "/api/device/scanners";
const TRIES = 4; // of a request that came too soon
const SLOWEST = 5000; // milliseconds between two looks for a service that went away

/**
 * The service, as `connect` found it. Its event `state` tells with `detail.state` when it goes away, comes back
 * (`connected`), or comes back without consent for this page (`refused`, with `detail.error`).
 */
export class Service extends EventTarget {
  /** @type {Map<string, Promise<import("./buffer.js").Buffer>>} */
  #buffers = new Map();
  #closed = new AbortController();
  #seeking = false;

  /** @param {Options} options @param {string} base */
  constructor(options, base) {
    super();
    this.options = options;
    /** The address of the service; another one when it comes back at another port. */
    this.base = base;
    this.version = "";
    /** @type {State} */
    this.state = "lost";
  }

  /** Whether requests go over TLS. */
  get encrypted() {
    return this.base.startsWith("https:");
  }

  /**
   * See that this page may use the service, which is new enough. Called by `connect`.
   * @param {AbortSignal} [signal]
   */
  async begin(signal) {
    if (this.options.ask !== false && this.base !== location.origin) await ask(this.base, { ...this.options, signal });
    await this.#greet(signal);
    this.#become("connected");
    if (this.options.heartbeat !== 0) this.#listen(this.options.heartbeat ?? 5000);
  }

  /** Ask the user again, after the state was `refused`. Call it from a click. @param {AbortSignal} [signal] */
  async askAgain(signal) {
    await ask(this.base, { ...this.options, signal });
    await this.#greet(signal);
    this.#become("connected");
  }

  /** Do nothing more; what runs in the service goes on. */
  close() {
    this.#become("closed");
    this.#closed.abort(new DwtsvcError("connection-lost"));
  }

  /**
   * A request, with what was refused as a DwtsvcError.
   * @param {string} path
   * @param {Call} [call]
   * @returns {Promise<Response>}
   */
  async request(path, { method = "GET", body, headers = {}, signal } = {}) {
    const plain = body instanceof Object && !(body instanceof Blob || body instanceof FormData || body instanceof ArrayBuffer);
    const type = plain ? { "Content-Type": "application/json" } : undefined;
    const own = method === "GET" ? undefined : { "X-DWTSVC": "1" };
    const content = plain ? JSON.stringify(body) : /** @type {BodyInit | undefined} */ (body);
    for (let left = TRIES; ; left--) {
      const answer = await this.#sent(path, { method, headers: { ...type, ...own, ...headers }, body: content, signal });
      if (answer.ok) return answer;
      if (answer.status !== 429 || left <= 1) throw await refusal(answer);
      await pause(1000 * Number(answer.headers.get("Retry-After") ?? 1), signal);
    }
  }

  /**
   * @param {string} path
   * @param {Call} [call]
   * @returns {Promise<any>}
   */
  async json(path, call) {
    const answer = await this.request(path, call);
    return answer.status === 204 ? undefined : answer.json();
  }

  /**
   * As `request`, for what an older service may not have: `not-supported` then.
   * @param {string} path
   * @param {Call} call
   */
  async feature(path, call) {
    return this.request(path, call).catch((error) => {
      const lacking = ["nothing-found", "wrong-method", "missing-dependency"].includes(error.code);
      throw lacking ? new DwtsvcError("not-supported", { message: error.message, status: error.status }) : error;
    });
  }

  /**
   * The events of an address until it ends; `connection-lost` if it breaks.
   * @param {string} path
   * @param {AbortSignal | null} [signal]
   * @returns {AsyncGenerator<{event: string, data: any}, void, void>}
   */
  async *events(path, signal) {
    const answer = await this.request(path, { signal });
    try {
      yield* events(answer);
    } catch (error) {
      throw this.#lost(error, signal);
    }
  }

  /**
   * Wait until the service is there again.
   * @param {AbortSignal | null} [signal]
   * @returns {Promise<void>}
   */
  async connected(signal) {
    while (this.state !== "connected") {
      this.#closed.signal.throwIfAborted();
      await pause(200, signal);
    }
  }

  // ---- scanners ----

  /** @param {{type?: number, refresh?: boolean, signal?: AbortSignal}} [wanted] `type` is a sum of scanner types */
  async devices({ type = 1008, refresh = false, signal } = {}) {
    const body = { params: { deviceType: type, refresh } };
    return /** @type {Device[]} */ ((await this.json("/f/GetDevices", { method: "POST", body, signal })).result);
  }

  /**
   * All scanners, then those that come and go; over restarts of the service too.
   * @param {{signal?: AbortSignal}} [options]
   * @returns {AsyncGenerator<DeviceChange, void, void>}
   */
  async *watchDevices({ signal } = {}) {
    for (;;) {
      try {
        yield* /** @type {AsyncGenerator<any>} */ (this.events(`${SCANNERS}/events`, signal));
      } catch (error) {
        if (!isLost(error)) throw error;
      }
      await pause(500, signal); // a service that is about to end may end its streams first
      await this.connected(signal);
    }
  }

  /**
   * What a scanner can do; `caps` are the numbers of those wanted.
   * @param {string | Device} device
   * @param {{caps?: number[], signal?: AbortSignal}} [options]
   * @returns {Promise<Capability[]>}
   */
  async capabilities(device, { caps = [], signal } = {}) {
    const job = await this.scan({ device, job: { autoRun: false } }, { signal });
    try {
      return await this.json(`${job.path}/scanner/capabilities?caps=${caps}`, { signal });
    } finally {
      await job.delete();
    }
  }

  /**
   * Scan: `for await (const page of job)`. With `job: {autoRun: false}` it waits for its `start()`.
   * @param {ScanRequest} [request]
   * @param {{signal?: AbortSignal}} [options] the signal cancels the scan
   */
  async scan(request = {}, { signal } = {}) {
    const body = { device: deviceOf(request), config: configOf(request), ...request.job };
    const { jobuid } = await this.json(`${SCANNERS}/jobs`, { method: "POST", body, signal });
    return new Job(this, jobuid, signal);
  }

  /** The image buffer of a name, with what is in it. The service keeps it, also over a reload. */
  buffer(id = "1") {
    const found = this.#buffers.get(id) ?? this.#opened(id);
    this.#buffers.set(id, found);
    found.catch(() => this.#buffers.delete(id));
    return found;
  }

  /** @param {string} id */
  async #opened(id) {
    const { Buffer } = await import("./buffer.js");
    const buffer = new Buffer(this, id);
    await buffer.look();
    return buffer;
  }

  /** What this site stores on this computer. */
  async documents() {
    const { Documents } = await import("./documents.js");
    return new Documents(this);
  }

  // ---- on a page of a job ----

  /** @param {Source} page @param {BarcodeReading} [how] */
  readBarcodes = async (page, how) => (await processing()).readBarcodes(this, page, how);

  /** Its text; `not-supported` where the service cannot read. @param {Source} page @param {Reading} [how] */
  readText = async (page, how) => (await processing()).readText(this, page, how);

  /** The languages that text can be read in. @returns {Promise<{languages: string[], default: string}>} */
  languages = async () => (await this.feature("/api/process/ocr/languages", {})).json();

  /** @param {Source} page @param {BlankLooking} [how] */
  isBlank = async (page, how) => (await processing()).isBlank(this, page, how);

  /** It as a file; the page stays as it is. @param {Source} page @param {Step[]} steps @param {{type?: string}} [how] */
  edited = async (page, steps, how) => (await processing()).edited(this, page, steps, how);

  /** What becomes of the pages of a stack. @param {Splitting} stack */
  split = async (stack) => (await processing()).split(this, stack);

  // ---- the connection itself ----

  /** @param {string} path @param {RequestInit} init */
  async #sent(path, init) {
    try {
      return await reach(this.base + path, init);
    } catch (error) {
      throw this.#lost(error, init.signal);
    }
  }

  /**
   * What a request that failed means, after the search for the service has begun.
   * @param {unknown} error
   * @param {AbortSignal | null} [signal]
   */
  #lost(error, signal) {
    if (signal?.aborted) return signal.reason;
    if (this.state === "connected") this.#seek();
    return new DwtsvcError("connection-lost", { cause: error });
  }

  /** @param {AbortSignal} [signal] */
  async #greet(signal) {
    const answer = await reach(`${this.base}/api/server/version`, { signal }).catch((error) => {
      signal?.throwIfAborted();
      throw new DwtsvcError("origin-not-allowed", { cause: error }); // a refused page cannot read that it was
    });
    if (!answer.ok) throw await refusal(answer);
    this.version = (await answer.json()).moduleVersions?.core?.[0] ?? "0";
    const { minVersion } = this.options;
    if (minVersion && this.version.localeCompare(minVersion, "en", { numeric: true }) < 0)
      throw new DwtsvcError("version-too-old");
  }

  async #seek() {
    if (this.#seeking) return;
    this.#seeking = true;
    this.#become("lost");
    const { signal } = this.#closed;
    for (let wait = 250; !signal.aborted; wait = Math.min(wait * 1.5, SLOWEST)) {
      await pause(wait, signal).catch(() => {});
      const base = await find({ ...this.options, onPermission: undefined, signal }).catch(() => "");
      if (base && (await this.#resume(base, signal))) break;
    }
    this.#seeking = false;
  }

  /** @param {string} base @param {AbortSignal} signal */
  async #resume(base, signal) {
    this.base = base;
    try {
      await this.#greet(signal);
    } catch (error) {
      if (this.state === "lost") this.#become("refused", error);
      return false;
    }
    this.#become("connected");
    return true;
  }

  /** @param {State} state @param {unknown} [error] */
  #become(state, error) {
    if (this.state === state || this.state === "closed") return;
    this.state = state;
    tell(this, "state", { state, error });
  }

  /** @param {number} every */
  async #listen(every) {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await pause(every, signal).catch(() => {});
      if (this.state !== "connected" || document.hidden || signal.aborted) continue;
      await this.#sent("/favicon.ico", { signal }).catch(() => {}); // which has told
    }
  }
}

const processing = () => import("./processing.js");

/** @param {unknown} error */
export const isLost = (error) => error instanceof DwtsvcError && error.code === "connection-lost";
