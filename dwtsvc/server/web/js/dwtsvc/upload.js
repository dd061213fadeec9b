// @ts-check
// Upload from the page to a web server: as a form, as it is, or in segments; with progress, again if it fails.

/** @import { Reply, Upload } from "./types.js" */
import { DwtsvcError } from "./errors.js";
import { pause } from "./wire.js";

const TEMPORARY = [0, 408, 425, 429, 500, 502, 503, 504];

/**
 * Send a file. Rejects with `upload-failed`, whose `status` is that of the server, or 0 if it was not reached.
 * @param {Blob} file
 * @param {Upload} how
 * @returns {Promise<Reply>} of the last segment to end, if it is sent in segments
 */
export async function upload(file, how) {
  const size = how.segment && file.size > how.segment ? how.segment : 0;
  if (!size) return persistent(() => whole(file, how), how);
  const id = crypto.randomUUID?.() ?? String(Math.random()).slice(2); // not there on a page without https
  const starts = Array.from({ length: Math.ceil(file.size / size) }, (_, index) => index * size);
  const loaded = starts.map(() => 0);
  const pieces = starts.map((start, index) => () => {
    const piece = file.slice(start, start + size);
    const headers = {
      ...how.headers,
      "Content-Range": `bytes ${start}-${start + piece.size - 1}/${file.size}`,
      "X-Upload-Id": id,
      "X-Upload-Name": encodeURIComponent(nameOf(file, how)),
    };
    const onProgress = (/** @type {{loaded: number}} */ progress) => {
      loaded[index] = progress.loaded;
      how.onProgress?.({ loaded: loaded.reduce((sum, each) => sum + each), total: file.size });
    };
    return persistent(() => sent(piece, piece.size, { ...how, method: how.method ?? "POST", headers, onProgress }), how);
  });
  const replies = await inParallel(pieces, how.parallel);
  return replies[replies.length - 1];
}

/**
 * Send several files, a few at once. One that fails cancels the others.
 * @param {Blob[]} files
 * @param {Upload} how
 * @returns {Promise<Reply[]>} in the order of the files
 */
export async function uploadAll(files, how) {
  const stop = new AbortController();
  const signal = how.signal ? AbortSignal.any([how.signal, stop.signal]) : stop.signal;
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const loaded = files.map(() => 0);
  const one = (/** @type {Blob} */ file, /** @type {number} */ index) => () => {
    const onProgress = (/** @type {{loaded: number}} */ progress) => {
      loaded[index] = progress.loaded;
      how.onProgress?.({ loaded: loaded.reduce((sum, each) => sum + each, 0), total });
    };
    return upload(file, { ...how, onProgress, signal });
  };
  return inParallel(files.map(one), how.parallel).catch((error) => {
    stop.abort(error);
    throw error;
  });
}

/**
 * @template T
 * @param {(() => Promise<T>)[]} tasks
 * @param {number} [most]
 * @returns {Promise<T[]>}
 */
async function inParallel(tasks, most = 2) {
  /** @type {T[]} */
  const done = [];
  const left = tasks.entries();
  const work = async () => {
    for (const [index, task] of left) done[index] = await task();
  };
  await Promise.all(Array.from({ length: Math.max(1, most) }, work));
  return done;
}

/**
 * @param {Blob} file
 * @param {Upload} how
 */
function whole(file, how) {
  if (how.method === "PUT") return sent(file, file.size, how);
  const form = new FormData();
  for (const [name, value] of Object.entries(how.fields ?? {})) form.append(name, value);
  form.append(how.fieldName ?? "RemoteFile", file, nameOf(file, how));
  return sent(form, file.size, how);
}

/**
 * @param {Blob} file
 * @param {Upload} how
 */
const nameOf = (file, how) => how.fileName ?? (file instanceof File ? file.name : "scan");

/**
 * Do it again after a while if the cause may pass.
 * @param {() => Promise<Reply>} work
 * @param {Upload} how
 */
async function persistent(work, { retries = 3, signal }) {
  for (let wait = 500; ; wait *= 2, retries--) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DwtsvcError) || !TEMPORARY.includes(error.status) || retries <= 0) throw error;
    }
    await pause(wait, signal);
  }
}

/**
 * One request. `fetch` cannot tell how much has gone out.
 * @param {Blob | FormData} body
 * @param {number} size
 * @param {Upload} how
 * @returns {Promise<Reply>}
 */
function sent(body, size, { url, method = "POST", headers = {}, withCredentials = false, onProgress, signal }) {
  return new Promise((done, fail) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const ended = () => signal?.removeEventListener("abort", stop);
    const failed = () => fail(new DwtsvcError("upload-failed", { status: request.status }));
    request.open(method, url);
    request.withCredentials = withCredentials;
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    // The parts of a form around the file are no progress of the file.
    request.upload.onprogress = ({ loaded }) => onProgress?.({ loaded: Math.min(loaded, size), total: size });
    request.onload = () => {
      if (request.status < 200 || request.status > 299) return failed();
      onProgress?.({ loaded: size, total: size });
      done({ status: request.status, text: request.responseText });
    };
    request.onerror = failed;
    request.onabort = () => fail(signal?.reason);
    request.onloadend = ended;
    signal?.addEventListener("abort", stop);
    request.send(body);
  });
}
