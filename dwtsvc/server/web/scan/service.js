// The service, as this page asks it: dwtsvc.js, whose first user the page is. What is here is what only a page of the
// service itself may ask for: its targets.

import { DwtsvcError, Service } from "/dwtsvc.js";
import { Buffer } from "/dwtsvc/buffer.js";
import { told } from "/dwtsvc/processing.js";

const TARGETS = "/web/targets";
const MM = 25.4;
const QUALITY = { small: 55, normal: 80, best: 95 };

/** The name under which the service keeps the pages of this browser: nothing is lost on a reload. */
function clientId() {
  const kept = localStorage.getItem("dwtsvc.client");
  if (kept) return kept;
  const made = `scan-${crypto.randomUUID()}`;
  localStorage.setItem("dwtsvc.client", made);
  return made;
}

const scheme = location.protocol.slice(0, -1);
/** It is this page's own site: nobody has to be asked, and it is looked for nowhere else. */
export const service = new Service({ host: location.hostname, ports: { [scheme]: [Number(location.port)] } }, location.origin);
export const buffer = new Buffer(service, clientId());

/** Be connected, so that the page hears when the service goes away and comes back. */
export const connected = () => (service.state === "connected" ? undefined : service.begin());

/** The scanners and cameras there are; `refresh` asks every driver anew. */
export async function devices(how) {
  return (await service.devices(how)).map(({ id, name, virtual, kind, also }) => ({ id, name, virtual, kind, also }));
}

export const abilities = (device) => service.abilities(device);

/** Settings of the page as a request of the client. */
function requested(device, { source, mode, dpi, size, straight }) {
  const feeds = source === "feeder" || source === "duplex";
  return {
    device: straight ? `${device}${device.includes("?") ? "&" : "?"}document=1` : device,
    mode,
    resolution: dpi,
    source: feeds ? "feeder" : source === "glass" ? "glass" : undefined,
    duplex: source === "duplex" || undefined,
    pages: source === "glass" ? 1 : undefined,
    pageSize: size === "whole" ? undefined : size,
  };
}

/** Scan into the buffer; the pages that came before an error stay. */
export function scan(device, settings, how) {
  return buffer.scan(requested(device, settings), { removeBlank: settings.skipBlank, ...how });
}

/** Scan a part of the glass, in inches, into the buffer. */
export function scanArea(device, settings, inches, how) {
  const area = Object.fromEntries(Object.entries(inches).map(([name, value]) => [name, value * MM]));
  const whole = requested(device, { ...settings, source: "glass", size: "whole" });
  return buffer.scan({ ...whole, area }, how);
}

/** A scan of this browser that still runs, if there is one: somebody has loaded the page again. */
export async function running() {
  return (await service.jobs()).find((job) => job.status === "running") ?? null;
}

/** A quick look at what lies on the glass: its image, its size in inches, and `free()` for when it is not needed. */
export async function preview(device, { mode }) {
  const wanted = { source: "glass", mode: mode === "bw" ? "gray" : mode, dpi: 75, size: "whole" };
  const job = await service.scan({ ...requested(device, wanted), job: { jobTimeout: 300 } });
  const free = () => job.delete().catch(() => {});
  try {
    const [page] = await job.finished();
    const { pathname, search } = new URL(page.url);
    return { url: pathname + search, width: page.width / page.dpi, height: page.height / page.dpi, free };
  } catch (error) {
    await free();
    throw error;
  }
}

/** The address of what a camera sees, as a picture that moves: the camera is open for as long as it is loaded. */
export const liveUrl = (device) => `/api/device/webcam/preview?${new URLSearchParams({ device, width: 1280 })}`;

/** Why a camera shows nothing. @returns {Promise<Error>} */
export async function whyDark(device) {
  const stop = new AbortController();
  try {
    await service.request(liveUrl(device), { signal: stop.signal });
    return new DwtsvcError("device-lost"); // it would show something now
  } catch (error) {
    return error;
  } finally {
    stop.abort();
  }
}

/** The address of a page's image in a box of pixels; it means this page wherever it stands, and changes with it. */
export function imageUrl(page, side) {
  return buffer.thumbnail(page, Math.min(Math.round(side), Math.max(page.width, page.height)));
}

/** The barcodes of a page: type and text. */
export async function barcodes(page, signal) {
  const found = await service.readBarcodes(page.url, { signal });
  return found.map((code) => ({ type: code.barcodeFormatString, text: code.barcodeText }));
}

/** The text of a page. */
export const text = (page, signal) => service.readText(page.url, { rotate: true, format: "text", signal });

/** What needs a program that may not be installed: reading text. */
export async function features() {
  return { ocr: await service.languages().then(() => true, () => false) };
}

/** For each page whether it stays and the number of its document; separator sheets do not stay. */
export async function split(pages, { onProgress, signal } = {}) {
  const sources = pages.map((page) => page.url);
  return (await service.split({ sources, separators: ["patcht", "patch"], onProgress, signal })).pages;
}

/** What a file is to be, as the client says it. `format` is pdf, searchable, pdfa, tiff, jpeg or png. */
async function saving(pages, { format, quality, title }) {
  const how = { which: pages, quality: QUALITY[quality], title, type: format };
  if (format !== "searchable" && format !== "pdfa") return how;
  const { default: ocr } = await service.languages();
  return { ...how, type: "pdf", ocr, pdfa: format === "pdfa" ? "2b" : undefined };
}

/** Pages as one file: a Blob. */
export const save = async (pages, wanted, how) => buffer.save({ ...(await saving(pages, wanted)), ...how });

/** The names of the targets that the owner of the service has set up. */
export const targets = async () => (await service.json(TARGETS)).targets;

/** Send pages as one file to a target; its receipt. `delivery` is the same for every attempt at one delivery. */
export async function send(pages, wanted, { target, delivery, name, onProgress, signal }) {
  const { which, ...how } = await saving(pages, wanted);
  const body = { ...how, indices: buffer.indices(which), client: buffer.id, target, delivery, name };
  return told(service, TARGETS, body, { onProgress, signal });
}
