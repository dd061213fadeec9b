// @ts-check
// Scanners: those that come and go, and what one of them can do.

/** @import { Abilities, Capability, Device, DeviceChange } from "./types.js" */
/** @import { Service } from "./service.js" */
import { MODES, SIZES } from "./scanning.js";
import { DwtsvcError } from "./errors.js";
import { pause } from "./wire.js";

const CAPS = { mode: 257, feeder: 4098, duplex: 4114, width: 4369, height: 4370, resolution: 4376, size: 4386 };
const MM = 25.4;

/**
 * @param {Service} service
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<DeviceChange, void, void>}
 */
export async function* watched(service, signal) {
  for (;;) {
    try {
      yield* /** @type {AsyncGenerator<any>} */ (service.events("/api/device/scanners/events", signal));
    } catch (error) {
      if (!(error instanceof DwtsvcError) || error.code !== "connection-lost") throw error;
    }
    await pause(500, signal); // a service that is about to end may end its streams first
    await service.connected(signal);
  }
}

/**
 * @param {Service} service
 * @param {string | Device} device
 * @param {{caps?: number[], signal?: AbortSignal}} options
 * @returns {Promise<Capability[]>}
 */
export async function capabilities(service, device, { caps = [], signal }) {
  const job = await service.scan({ device, job: { autoRun: false } }, { signal });
  try {
    return await service.json(`${job.path}/scanner/capabilities?caps=${caps}`, { signal });
  } finally {
    await job.delete();
  }
}

/**
 * @param {Service} service
 * @param {string | Device} device
 * @param {AbortSignal} [signal]
 * @returns {Promise<Abilities>}
 */
export async function abilities(service, device, signal) {
  const found = await capabilities(service, device, { caps: Object.values(CAPS), signal });
  const told = new Map(found.map((each) => [each.capability.value, each]));
  /** @param {keyof typeof CAPS} name @returns {Record<string, any>} */
  const cap = (name) => told.get(CAPS[name]) ?? {};
  const { enums: resolutions = null, minValue: least = null, maxValue: most = null } = cap("resolution");
  return {
    feeder: cap("feeder").curValue === true,
    duplex: cap("duplex").curValue > 0,
    modes: named(MODES, cap("mode").enums),
    resolutions,
    least,
    most,
    pageSizes: named(SIZES, cap("size").enums),
    width: (cap("width").curValue ?? 8.27) * MM,
    height: (cap("height").curValue ?? 11.69) * MM,
  };
}

/**
 * The names in a table whose numbers are offered.
 * @template {string} N
 * @param {Record<N, number>} table
 * @param {number[]} [offered]
 */
const named = (table, offered = []) => /** @type {N[]} */ (Object.keys(table)).filter((name) => offered.includes(table[name]));
