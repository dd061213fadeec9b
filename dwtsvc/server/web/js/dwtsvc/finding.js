// @ts-check
// Where the service is; and if it is not to be had, why.

/** @import { Where } from "./types.js" */
import { DwtsvcError } from "./errors.js";
import { reach } from "./wire.js";

/** The ports that services of this kind listen on. */
export const PORTS = { http: [18622, 18625], https: [18623, 18626] };
const DEADLINE = 2500; // milliseconds for one port; on Windows a closed one takes two seconds to say so
const QUESTION = 60_000; // milliseconds while the browser may be asking the user
const SEEN = "dwtsvc.seen";
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/**
 * What the browser says about this page and programs on this machine. Older browsers have no word for it, some another.
 * @returns {Promise<PermissionState | "unknown">}
 */
export async function permission() {
  for (const name of ["loopback-network", "local-network-access"]) {
    try {
      return (await navigator.permissions.query({ name: /** @type {PermissionName} */ (name) })).state;
    } catch {
      continue;
    }
  }
  return "unknown";
}

/** Whether this page is one of the service's own, at this address. @param {string} base */
export const isOwn = (base) => base === location.origin;

/**
 * The address of the service, such as `http://127.0.0.1:18622`.
 * @param {Where} where
 * @returns {Promise<string>}
 */
export async function find(where) {
  const state = await needed();
  if (state === "prompt") where.onPermission?.(state);
  const http = doors("http", where);
  const https = doors("https", where);
  if ([...http, ...https].some(isOwn)) return location.origin;
  const look = prober(where, state === "prompt" ? QUESTION : DEADLINE);
  const secure = where.https === false ? none() : look(https);
  const plain = where.https === true ? none() : look(http);
  const found = location.protocol === "https:" ? (await secure) || (await plain) : (await plain) || (await secure);
  where.signal?.throwIfAborted();
  if (!found) throw await cause(where, () => look(http));
  remember();
  return found;
}

/** @param {"http" | "https"} scheme @param {Where} where */
function doors(scheme, { host = "127.0.0.1", ports }) {
  return (ports ? ports[scheme] ?? [] : PORTS[scheme]).map((port) => `${scheme}://${host}:${port}`);
}

const none = async () => "";

/** The permission, where this page needs it: a page of this machine does not. */
async function needed() {
  return LOOPBACK.includes(location.hostname) ? "granted" : permission();
}

/**
 * Looks at several addresses at once; the first that answers, or nothing. The icon is open to every site.
 * @param {Where} where
 * @param {number} deadline
 */
function prober({ signal }, deadline) {
  return async (/** @type {string[]} */ bases) => {
    const ended = new AbortController();
    const signals = [ended.signal, AbortSignal.timeout(deadline), ...(signal ? [signal] : [])];
    const asked = bases.map(async (base) => {
      const answer = await reach(`${base}/favicon.ico`, { signal: AbortSignal.any(signals) });
      if (!answer.ok) throw new Error(String(answer.status));
      return base;
    });
    const found = await Promise.any(asked).catch(none);
    ended.abort();
    return found;
  };
}

/**
 * Why nothing answered. A failed request alone does not tell; what is around it does.
 * @param {Where} where
 * @param {() => Promise<string>} unencrypted
 */
async function cause(where, unencrypted) {
  const state = await needed();
  if (!isSecureContext) return new DwtsvcError("page-insecure");
  if (state === "denied") return new DwtsvcError("permission-blocked");
  if (where.https === true && (await unencrypted())) return new DwtsvcError("certificate-untrusted");
  return new DwtsvcError(wasSeen() ? "not-running" : "not-installed");
}

function remember() {
  try {
    localStorage.setItem(SEEN, "1");
  } catch {} // a page without storage only gets the less exact text
}

function wasSeen() {
  try {
    return localStorage.getItem(SEEN) !== null;
  } catch {
    return false;
  }
}
