// @ts-check
// What is on a page of a job, and a page with edits as a file.

/** @import { BarcodeReading, BlankLooking, Pages, Reading, Source, Step } from "./types.js" */
/** @import { Service } from "./service.js" */
import { DwtsvcError } from "./errors.js";
import { events } from "./wire.js";

/** @param {Source} page */
const addressOf = (page) => (typeof page === "string" ? page : page.url);

/**
 * @param {Service} service
 * @param {string} what
 * @param {Source} page
 * @param {object} more
 * @param {AbortSignal} [signal]
 */
function asked(service, what, page, more, signal) {
  const body = { source: addressOf(page), ...more };
  return service.feature(`/api/process/${what}`, { method: "POST", body, signal });
}

/** @param {Service} service @param {Source} page @param {BarcodeReading} [how] @returns {Promise<any[]>} */
export async function readBarcodes(service, page, { settings, signal } = {}) {
  return (await asked(service, "read-barcode", page, { settings }, signal)).json();
}

/**
 * @param {Service} service
 * @param {Source} page
 * @param {BlankLooking} [how]
 * @returns {Promise<{result: boolean, score: number, reason: string}>}
 */
export async function isBlank(service, page, { settings, signal } = {}) {
  return (await asked(service, "check-blank", page, { settings }, signal)).json();
}

/**
 * Its text: `json` as an object, `pdf` as a Blob, other formats as a text.
 * @param {Service} service
 * @param {Source} page
 * @param {Reading} [how]
 * @returns {Promise<any>}
 */
export async function readText(service, page, { signal, onProgress: _, ...settings } = {}) {
  const answer = await asked(service, "ocr", page, { settings }, signal);
  if (settings.format === "pdf") return answer.blob();
  return settings.format && settings.format !== "json" ? answer.text() : answer.json();
}

/**
 * @param {Service} service
 * @param {Source} page
 * @param {Step[]} steps
 * @param {{type?: string, signal?: AbortSignal}} [how]
 */
export async function edited(service, page, steps, { type = "image/png", signal } = {}) {
  return (await asked(service, "edit", page, { steps, type }, signal)).blob();
}

/**
 * @param {Service} service
 * @param {import("./types.js").Splitting} stack
 * @returns {Promise<{pages: any[], documents?: {uid: string}[]}>}
 */
export const split = (service, { signal, onProgress, ...body }) =>
  told(service, "/api/process/split", body, { signal, onProgress });

/**
 * The result of work on many pages that tells how far it is. Who aborts it ends it in the service, too.
 * @param {Service} service
 * @param {string} path
 * @param {object} body
 * @param {{onProgress?: (progress: Pages) => void, signal?: AbortSignal}} how
 * @returns {Promise<any>}
 */
export async function told(service, path, body, { onProgress, signal }) {
  const headers = { Accept: "text/event-stream" };
  const answer = await service.feature(path, { method: "POST", body, headers, signal });
  try {
    for await (const { event, data } of events(answer)) {
      if (event === "progress") onProgress?.(data);
      signal?.throwIfAborted();
      if (event === "result") return data;
      if (event === "error") throw new DwtsvcError(data.error, { message: data.message, status: data.statusCode });
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof DwtsvcError ? error : new DwtsvcError("connection-lost", { cause: error });
  }
  throw new DwtsvcError("connection-lost");
}
