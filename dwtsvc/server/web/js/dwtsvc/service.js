// @ts-check
// The connection to the service: requests, what becomes of them, and finding the service again when it was away.

/** @import { BarcodeReading, BlankLooking, Call, Device, Options } from "./types.js" */
/** @import { Reading, ScanRequest, Source, Splitting, State, Step } from "./types.js" */
import { DwtsvcError } from "./errors.js";
import { find, isOwn } from "./finding.js";
import { events, patiently, pause, reach, refusal, tell } from "./wire.js";

const JOBS = "/api/device/scanners/jobs";
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
    await (this.options.ask !== false && !isOwn(this.base) ? this.askAgain(signal) : this.#greeted(signal));
    if (this.options.heartbeat !== 0) this.#listen(this.options.heartbeat ?? 5000);
  }

  /** Ask the user again, after the state was `refused`. Call it from a click. @param {AbortSignal} [signal] */
  async askAgain(signal) {
    const { ask } = await import("./asking.js");
    await ask(this.base, { ...this.options, signal });
    await patiently(() => this.#greeted(signal), signal);
  }

  /** @param {AbortSignal} [signal] */
  async #greeted(signal) {
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
  async devices({ type = 5104, refresh = false, signal } = {}) {
    const body = { params: { deviceType: type, refresh } };
    return /** @type {Device[]} */ ((await this.json("/f/GetDevices", { method: "POST", body, signal })).result);
  }

  /**
   * All scanners, then those that come and go; over restarts of the service too.
   * @param {{signal?: AbortSignal}} [options]
   */
  async *watchDevices({ signal } = {}) {
    yield* (await scanners()).watched(this, signal);
  }

  /**
   * What a scanner can do, as the protocol tells it; `caps` are the numbers of those wanted.
   * @param {string | Device} device
   * @param {{caps?: number[], signal?: AbortSignal}} [options]
   */
  capabilities = async (device, options = {}) => (await scanners()).capabilities(this, device, options);

  /** The same in the words of a request. @param {string | Device} device @param {{signal?: AbortSignal}} [options] */
  abilities = async (device, { signal } = {}) => (await scanners()).abilities(this, device, signal);

  /**
   * Scan: `for await (const page of job)`. With `job: {autoRun: false}` it waits for its `start()`.
   * @param {ScanRequest} [request]
   * @param {{signal?: AbortSignal}} [options] the signal cancels the scan
   */
  async scan(request = {}, { signal } = {}) {
    const { bodyOf, Job } = await scanning();
    signal?.throwIfAborted();
    // Not ended by the signal: nobody would know the job then, and it would hold the scanner.
    const { jobuid } = await this.json(JOBS, { method: "POST", body: bodyOf(request) });
    const job = new Job(this, jobuid, signal);
    if (!signal?.aborted) return job;
    await job.delete();
    throw signal.reason;
  }

  /** The jobs of this site, the newest first: a page that was loaded again finds its scan among them. */
  async jobs() {
    const { Job } = await scanning();
    const found = /** @type {{jobuid: string, status: string}[]} */ (await this.json(JOBS));
    return found.map(({ jobuid, status }) => Object.assign(new Job(this, jobuid), { status }));
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
      // A refused page cannot read that it was; a page of the service itself is not refused.
      throw new DwtsvcError(isOwn(this.base) ? "connection-lost" : "origin-not-allowed", { cause: error });
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
      if (this.state === "lost" && !isLost(error)) this.#become("refused", error);
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
const scanners = () => import("./scanners.js");
const scanning = () => import("./scanning.js");

/** @param {unknown} error */
const isLost = (error) => error instanceof DwtsvcError && error.code === "connection-lost";
