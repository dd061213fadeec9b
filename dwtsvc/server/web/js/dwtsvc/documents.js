// @ts-check
// Local storage: documents that stay on this computer, encrypted where there is a password.

/** @import { Source } from "./types.js" */
/** @import { Service } from "./service.js" */

const PATH = "/api/storage/documents";

/** The documents that this site keeps in the service. */
export class Documents {
  #service;

  /** @param {Service} service */
  constructor(service) {
    this.#service = service;
  }

  /** The newest first. @returns {Promise<{uid: string, encrypted: boolean}[]>} */
  async list() {
    return this.#service.json(PATH);
  }

  /** @param {{password?: string}} [options] a password has at most 32 characters, and cannot be found out again */
  async create({ password = "" } = {}) {
    const { uid } = await this.#service.json(PATH, { method: "POST", body: { password } });
    return new StoredDocument(this.#service, uid, password);
  }

  /**
   * @param {string} uid
   * @param {{password?: string}} [options]
   */
  async open(uid, { password = "" } = {}) {
    const found = new StoredDocument(this.#service, uid, password);
    await found.info();
    return found;
  }
}

/** One stored document. */
export class StoredDocument {
  #service;
  #headers;
  #path;

  /**
   * @param {Service} service
   * @param {string} uid
   * @param {string} password
   */
  constructor(service, uid, password) {
    this.#service = service;
    this.#path = `${PATH}/${encodeURIComponent(uid)}`;
    /** @type {Record<string, string>} */
    const headers = password ? { "DWT-DOC-PASSWORD": password } : {};
    this.#headers = headers;
    this.uid = uid;
  }

  /** @returns {Promise<{uid: string, pages: {uid: string}[], metadata?: string | Record<string, any>}>} */
  info() {
    return this.#do("", "GET");
  }

  /**
   * Copy a page of a job in, at a place from 0, or at the end.
   * @param {Source} page
   * @param {{at?: number}} [options]
   */
  add(page, { at } = {}) {
    const source = typeof page === "string" ? page : page.url;
    return this.#do("/pages", "POST", { source, insertPos: at === undefined ? undefined : at + 1 });
  }

  /** @param {string | number} page its uid, or its index from 0 */
  remove(page) {
    return this.#do(`/pages/${page}`, "DELETE");
  }

  /** Replace the metadata. @param {string | Record<string, any>} metadata */
  describe(metadata) {
    return this.#do("", "PATCH", { metadata });
  }

  /**
   * The document as a file. What else the service may be told stands in its description of `content`.
   * @param {{type?: string, signal?: AbortSignal, [more: string]: any}} [options]
   */
  async content({ signal, ...how } = {}) {
    const query = new URLSearchParams(how);
    return (await this.#service.request(`${this.#path}/content?${query}`, { headers: this.#headers, signal })).blob();
  }

  delete() {
    return this.#do("", "DELETE");
  }

  /**
   * @param {string} path
   * @param {string} method
   * @param {object} [body]
   */
  #do(path, method, body) {
    return this.#service.json(this.#path + path, { method, body, headers: this.#headers });
  }
}
