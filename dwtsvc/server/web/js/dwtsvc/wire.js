// @ts-check
// Requests and answers as they go over the wire.

import { DwtsvcError } from "./errors.js";

/** Browsers that know address spaces are told that this machine is meant; an old one may know other words for it. */
const SPACE = (() => {
  const init = /** @type {RequestInit} */ ({ targetAddressSpace: "loopback" });
  try {
    new Request("http://127.0.0.1/", init);
    return init;
  } catch {
    return {};
  }
})();

/**
 * `fetch` of something on this machine.
 * @param {string} url
 * @param {RequestInit} [init]
 */
export const reach = (url, init) => fetch(url, { credentials: "omit", cache: "no-store", ...SPACE, ...init });

/**
 * The error that an answer of the service is.
 * @param {Response} answer
 */
export async function refusal(answer) {
  const body = await answer.json().catch(() => ({}));
  const said = body.exception ?? body;
  return new DwtsvcError(said.error ?? "refused", { message: said.message, status: answer.status, cause: said.cause });
}

/**
 * Try again what a service that is known to be there did not let us read: it may be busy, or starting again.
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<T>}
 */
export async function patiently(attempt, signal) {
  for (let left = 4; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 1 || /** @type {any} */ (error).code !== "origin-not-allowed") throw error;
    }
    await pause(500, signal);
  }
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<void>}
 */
export function pause(milliseconds, signal) {
  return new Promise((done, fail) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      fail(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      done();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * The server-sent events of an answer. EventSource is no help: it sends no headers and cannot tell why it failed.
 * @param {Response} answer
 * @returns {AsyncGenerator<{event: string, data: any}, void, void>}
 */
export async function* events(answer) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const fields = new Map(block.split("\n").map((line) => /** @type {[string, string]} */ (line.split(/: (.*)/s, 2))));
        const data = fields.get("data");
        if (data) yield { event: fields.get("event") ?? "message", data: JSON.parse(data) };
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // the stream may have broken
  }
}

/**
 * @param {EventTarget} target
 * @param {string} name
 * @param {object} [detail]
 */
export const tell = (target, name, detail) => target.dispatchEvent(new CustomEvent(name, { detail }));
