// Every call of the service that the page makes. Nothing else here knows an address or a number of the protocol.

const JOBS = "/api/device/scanners/jobs";
const ALL_TYPES = 1008; // every kind of scanner, network scanners too
const FRAMES = 4372;
const MODES = { bw: 0, gray: 1, color: 2 };
const PAPERS = { a4: 1, letter: 3, legal: 4, a5: 5, a3: 11, a6: 13 };

/** What the service refused, or that it does not answer: `word` is for programs, `message` for a person. */
export class ServiceError extends Error {
  constructor(word, message) {
    super(message);
    this.word = word;
  }
}

async function send(method, path, { body, headers, signal } = {}) {
  try {
    const named = { "X-DWTSVC": "1", ...headers };
    return await fetch(path, { method, body, headers: named, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw new ServiceError("cancelled", "");
    throw new ServiceError("service-gone", "");
  }
}

async function checked(answer) {
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  const error = said.exception ?? said;
  throw new ServiceError(error.error ?? `status-${answer.status}`, error.message ?? answer.statusText);
}

async function call(method, path, body, signal) {
  const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await checked(await send(method, path, { ...json, signal }));
  return answer.status === 204 ? null : answer.json();
}

/** The name under which the service keeps the pages of this browser: nothing is lost on a reload. */
function clientId() {
  const kept = localStorage.getItem("dwtsvc.client");
  if (kept) return kept;
  const made = `scan-${crypto.randomUUID()}`;
  localStorage.setItem("dwtsvc.client", made);
  return made;
}

export const client = clientId();

async function classic(method, params = {}) {
  return (await call("POST", `/f/${method}`, { id: client, params })).result;
}

/** The scanners there are; `refresh` asks every driver anew. */
export async function devices({ refresh = false } = {}) {
  if (refresh) await call("POST", "/web/devices");
  const found = await call("GET", `/api/device/scanners?type=${ALL_TYPES}`);
  return found.map(({ id, name, virtual }) => ({ id, name, virtual }));
}

/** What a scanner can do, as far as it tells before a scan. It is opened for that and let go again. */
export async function capabilities(device) {
  const { jobuid } = await call("POST", JOBS, { device, autoRun: false });
  try {
    const list = await call("GET", `${JOBS}/${jobuid}/scanner/capabilities`);
    return abilities(new Map(list.map((each) => [each.capability.value, each])));
  } finally {
    await call("DELETE", `${JOBS}/${jobuid}`).catch(() => null);
  }
}

function abilities(caps) {
  const numbers = (number) => caps.get(number)?.enums ?? [];
  const dpi = caps.get(4376) ?? {};
  const named = (table, offered) => Object.keys(table).filter((name) => offered.includes(table[name]));
  return {
    feeder: caps.get(4098)?.curValue === true,
    duplex: (caps.get(4114)?.curValue ?? 0) > 0,
    modes: named(MODES, numbers(257)),
    resolutions: dpi.enums ?? null,
    least: dpi.minValue ?? 0,
    most: dpi.maxValue ?? Infinity,
    papers: named(PAPERS, numbers(4386)),
    width: caps.get(4369)?.curValue ?? 8.27, // inches
    height: caps.get(4370)?.curValue ?? 11.69,
  };
}

/** Settings of the page in the words of the protocol. */
function configured({ source, mode, dpi, size }) {
  const config = { PixelType: MODES[mode], Resolution: dpi, XferCount: -1 };
  if (source === "glass") Object.assign(config, { IfFeederEnabled: false, XferCount: 1 });
  if (source === "feeder") config.IfFeederEnabled = true;
  if (source === "duplex") Object.assign(config, { IfFeederEnabled: true, IfDuplexEnabled: true });
  if (PAPERS[size]) config.PageSize = PAPERS[size];
  return config;
}

/** What happens to a job as it happens: `[name, data]` of its server-sent events, until `end` or it is gone. */
async function* events(jobuid) {
  const coming = [];
  let wake = () => {};
  const source = new EventSource(`${JOBS}/${jobuid}/events`);
  const note = (name) => (event) => {
    coming.push([name, event.data ? JSON.parse(event.data) : null]);
    wake();
  };
  for (const name of ["state", "progress", "page", "end", "error"]) source.addEventListener(name, note(name));
  try {
    for (;;) {
      if (!coming.length) await new Promise((done) => (wake = done));
      const [name, data] = coming.shift();
      if (name === "error") return; // the job was deleted, or the service went away: whoever waits for it will know
      yield [name, data];
      if (name === "end") return;
    }
  } finally {
    source.close();
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const jobs = () => call("GET", JOBS);
const runs = (job) => job.status === "running" || job.status === "pending";

/** A scan of this browser that still runs, if there is one: somebody has loaded the page again. */
export async function running() {
  return (await jobs()).find((job) => job.status === "running") ?? null;
}

/** The events of a job that runs already. */
export async function* watch(jobuid) {
  for await (const [name, data] of events(jobuid)) yield { kind: name, jobuid, ...data };
}

/**
 * Scan into the buffer. Yields `{kind: "job"}`, `{kind: "progress", page, rows, height}` and `{kind: "page"}`; returns
 * when the last page is in the buffer. Throws a ServiceError; the pages before that stay.
 */
export async function* scan(device, settings) {
  const before = new Set((await jobs()).map((job) => job.jobuid));
  const wanted = { device, config: configured(settings), removeBlank: settings.skipBlank };
  let over = false;
  const done = classic("AcquireImage", wanted).finally(() => (over = true));
  done.catch(() => {}); // it is awaited below
  const mine = (job) => !before.has(job.jobuid) && job.device === device && runs(job);
  while (!over) {
    const job = (await jobs()).find(mine);
    if (job) {
      yield { kind: "job", jobuid: job.jobuid };
      yield* watch(job.jobuid);
      break;
    }
    await pause(25);
  }
  await done;
}

/** A quick look at what lies on the glass: the address of its image, and `free()` for when it is not needed. */
export async function preview(device, { mode }) {
  const config = configured({ source: "glass", mode: mode === "bw" ? "gray" : mode, dpi: 75 });
  const { jobuid } = await call("POST", JOBS, { device, config, jobTimeout: 300 });
  const free = () => call("DELETE", `${JOBS}/${jobuid}`).catch(() => null);
  try {
    const [{ url, imageInfo }] = await oncePage(jobuid);
    const inches = (pixels) => pixels / imageInfo.XResolution;
    return { url, width: inches(imageInfo.ImageWidth), height: inches(imageInfo.ImageLength), free };
  } catch (error) {
    await free();
    throw error;
  }
}

async function oncePage(jobuid) {
  const told = await call("GET", `${JOBS}/${jobuid}/next-page-info`);
  if (!told) throw new ServiceError("nothing-found", "");
  return told;
}

/** Scan a part of the glass, in inches, into the buffer. */
export async function scanArea(device, settings, area) {
  const frame = { left: area.left, top: area.top, right: area.left + area.width, bottom: area.top + area.height };
  const { PixelType, Resolution } = configured(settings);
  const config = { PixelType, Resolution, IfFeederEnabled: false, XferCount: 1 };
  const caps = { exception: "fail", capabilities: [{ capability: FRAMES, curValue: frame }] };
  const { jobuid } = await call("POST", JOBS, { device, config, caps, jobTimeout: 300 });
  try {
    const [{ url }] = await oncePage(jobuid);
    await load(await (await checked(await send("GET", url))).blob());
  } finally {
    await call("DELETE", `${JOBS}/${jobuid}`).catch(() => null);
  }
}

export const cancel = (jobuid) =>
  jobuid ? call("PATCH", `${JOBS}/${jobuid}`, { status: "canceled" }) : classic("CancelAllPendingTransfers");

/** Put a file with all its pages at the end of the buffer. */
export async function load(file) {
  const headers = { "Content-Type": "application/octet-stream" };
  await checked(await send("POST", `/f/LoadFile?id=${client}`, { body: file, headers }));
}

/** The pages of this browser, by their index from 0. */
export const buffer = {
  list: () => classic("GetImages"),
  get: (indices) => classic("GetImages", { indices }),
  count: async () => (await classic("HowManyImagesInBuffer"))[0],
  move: (source, target) => classic("MoveImage", { source, target }),
  forget: (indices) => classic("RemoveImages", { indices }),
  tag: (tag, indices) => classic("TagImages", { tag, indices }),
  untag: (tag, indices) => classic("RemoveTag", { tag, indices }),
  rotate: (angle, indices) => classic("Rotate", { angle, indices }),
  deskew: (indices) => classic("Deskew", { indices }),
  crop: (box, indices) => classic("Crop", { ...box, indices }),
  erase: (box, indices) => classic("Erase", { ...box, indices, fill: "#ffffff" }),
  brightness: (value, indices) => classic("ChangeBrightness", { value, indices }),
  contrast: (value, indices) => classic("ChangeContrast", { value, indices }),
  undo: (indices) => classic("Undo", { indices }),
  redo: (indices) => classic("Redo", { indices }),
  isBlank: async (index) => (await classic("IsBlankImage", { index }))[0],
};

/** The address of a page's image in a box of pixels; it changes with the page, so that no old image is shown. */
export function imageUrl(page, side) {
  const box = Math.min(Math.round(side), Math.max(page.width, page.height));
  return `/dwt/dwt_1/img?id=${client}&index=${page.index}&width=${box}&height=${box}&t=${page.id}.${page.version}`;
}

const source = (page) => new URL(`/dwt/dwt_1/img?id=${client}&index=${page.index}`, location.href).href;

/** The barcodes of a page: type, text, and the corners in pixels. */
export async function barcodes(page) {
  const found = await call("POST", "/api/process/read-barcode", { source: source(page) });
  return found.map((code) => ({ type: code.barcodeFormatString, text: code.barcodeText }));
}

/** The text of a page. */
export async function text(page) {
  const { pages } = await call("POST", "/api/process/ocr", { source: source(page), settings: { rotate: true } });
  return pages.map((each) => each.text).join("\n");
}

/** What needs a program that may not be installed: reading text. */
export async function features() {
  const answer = await send("GET", "/api/process/ocr/languages");
  return { ocr: answer.ok };
}

/** A document of these pages in the service, for what it does with documents only; gone after `work`. */
async function asDocument(pages, work) {
  const { uid } = await call("POST", "/api/storage/documents", {});
  const path = `/api/storage/documents/${uid}`;
  try {
    for (const page of pages) await call("POST", `${path}/pages`, { source: source(page) });
    return await work(path, uid);
  } finally {
    await call("DELETE", path).catch(() => null);
  }
}

/** For each page whether it stays and the number of its document; separator sheets do not stay. */
export function split(pages) {
  return asDocument(pages, async (_, uid) => {
    const { pages: map } = await call("POST", "/api/process/split", { document: uid, separators: ["patcht", "patch"] });
    return map;
  });
}

const QUALITY = { small: 55, normal: 80, best: 95 };

/** Pages as one file: a Blob. `format` is pdf, searchable, pdfa, tiff, jpeg or png. */
export async function save(pages, { format, quality, title, language }) {
  if (format === "searchable" || format === "pdfa") return archived(pages, { format, quality, title, language });
  const params = { type: format, indices: pages.map((page) => page.index), quality: QUALITY[quality], title };
  const json = { body: JSON.stringify({ id: client, params }), headers: { "Content-Type": "application/json" } };
  return (await checked(await send("POST", "/f/SaveImages", json))).blob();
}

function archived(pages, { format, quality, title }) {
  return asDocument(pages, async (path) => {
    const { default: usual } = await call("GET", "/api/process/ocr/languages");
    const query = new URLSearchParams({ title, quality: QUALITY[quality], ocr: usual });
    if (format === "pdfa") query.set("pdfa", "2b");
    return (await checked(await send("GET", `${path}/content?${query}`))).blob();
  });
}
