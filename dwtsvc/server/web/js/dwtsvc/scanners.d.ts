import type { Abilities, Capability, Device, DeviceChange } from "./types.js";
import type { Service } from "./service.js";
/**
 * @param {Service} service
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<DeviceChange, void, void>}
 */
export declare function watched(service: Service, signal?: AbortSignal): AsyncGenerator<DeviceChange, void, void>;
/**
 * @param {Service} service
 * @param {string | Device} device
 * @param {{caps?: number[], signal?: AbortSignal}} options
 * @returns {Promise<Capability[]>}
 */
export declare function capabilities(service: Service, device: string | Device, { caps, signal }: {
    caps?: number[];
    signal?: AbortSignal;
}): Promise<Capability[]>;
/**
 * @param {Service} service
 * @param {string | Device} device
 * @param {AbortSignal} [signal]
 * @returns {Promise<Abilities>}
 */
export declare function abilities(service: Service, device: string | Device, signal?: AbortSignal): Promise<Abilities>;
