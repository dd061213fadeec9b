// @ts-check
// The names that web developers know from older libraries, over dwtsvc.js. docs/migrate.md says what maps to what, and
// what there is not. A thin layer: whoever begins anew takes dwtsvc.js itself.
//
// What changes images or waits gives a promise. It rejects, unless there is a callback for what fails: then it is false.

/** @import { Device, Options, ScanRequest, Which } from "./dwtsvc/types.js" */
import { connect, upload } from "./dwtsvc.js";
import { make, openDialog } from "./dwtsvc/prompt.js";
import { spoken } from "./dwtsvc/texts.js";

/** @typedef {(...results: any[]) => void} Ok */
/** @typedef {(code: string, message: string) => void} Fail `code` is a word, see DwtsvcError */
/** @typedef {{device?: string, IfAutoDiscardBlankpages?: boolean, caps?: object}} Wanted `caps` as the REST API has them */
/** @typedef {Record<string, unknown> & Wanted} DeviceConfiguration */
/** @typedef {import("./dwtsvc/buffer.js").Buffer} Buffer */
/** @typedef {import("./dwtsvc/service.js").Service} Service */

export const ImageType = { BMP: 0, JPG: 1, TIF: 2, PNG: 3, PDF: 4, MULTIPAGE_PDF: 7, MULTIPAGE_TIF: 8 };
export const PixelType = { BW: 0, GRAY: 1, RGB: 2 };
export const UploadDataFormat = { Binary: 0, Base64: 1 };
const FILES = /** @type {const} */ ({ 0: "bmp", 1: "jpeg", 2: "tiff", 3: "png", 4: "pdf", 7: "pdf", 8: "tiff" });
const MM = 25.4;
const CONFIGURATION = ["PixelType", "Resolution", "IfFeederEnabled", "IfDuplexEnabled", "PageSize", "XferCount"];

/**
 * Connect to the service and open an image buffer.
 * @param {Options & {WebTwainId?: string}} [options]
 */
export async function CreateDWTObjectEx({ WebTwainId = "1", ...options } = {}) {
  const service = await connect(options);
  return new WebTwain(service, await service.buffer(WebTwainId));
}

/** An image buffer and the scanner that fills it. */
export class WebTwain {
  /** @type {Map<string, Set<(...about: any[]) => void>>} */
  #listeners = new Map();
  /** @type {Device[]} */
  #devices = [];
  /** @type {Device | undefined} */
  #device;
  #current = -1;
  /** @type {import("./dwtsvc/types.js").Area | undefined} */
  #area;
  /** @type {AbortController | null} */
  #stop = null;
  /** @type {Record<string, string>} */
  #fields = {};
  /** @type {Record<string, string>} */
  #headers = {};

  // Read by AcquireImage where its configuration does not say otherwise, as the protocol has them.
  /** @type {number | undefined} */ PixelType;
  /** @type {number | undefined} */ Resolution;
  /** @type {boolean | undefined} */ IfFeederEnabled;
  /** @type {boolean | undefined} */ IfDuplexEnabled;
  /** @type {number | undefined} */ PageSize;
  /** @type {number | undefined} */ XferCount;
  IfAutoDiscardBlankpages = false;
  JPEGQuality = 80;
  HttpFieldNameOfUploadedImage = "RemoteFile";
  HTTPPostResponseString = "";
  /** The word of the last error, and its text. */
  ErrorCode = "";
  ErrorString = "";

  /** @param {Service} service @param {Buffer} buffer */
  constructor(service, buffer) {
    this.service = service;
    this.buffer = buffer;
    let known = buffer.images.map(({ id }) => id);
    buffer.addEventListener("change", (event) => {
      const ids = buffer.images.map(({ id }) => id);
      const { action } = /** @type {CustomEvent} */ (event).detail;
      if (action === "urls") return;
      const fresh = ids.filter((id) => !known.includes(id));
      const what = fresh.length ? "add" : ids.length < known.length ? "remove" : `${ids}` === `${known}` ? "modify" : "shift";
      known = ids;
      if (fresh.length) this.#current = ids.indexOf(fresh[fresh.length - 1]);
      if (action === "scan") for (const id of fresh) this.#tell("OnPostTransfer", { imageId: id });
      this.#tell("OnBufferChanged", { action: what, imageIds: ids, currentId: ids[this.CurrentImageIndexInBuffer] });
    });
  }

  /** @param {string} name @param {(...about: any[]) => void} listener */
  RegisterEvent(name, listener) {
    const those = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, those.add(listener));
    return true;
  }

  // ---- scanners ----

  /** @param {number} [deviceType] @param {boolean} [refresh] */
  async GetDevicesAsync(deviceType, refresh) {
    this.#devices = await this.service.devices({ type: deviceType, refresh });
    return this.#devices.map((device) => ({ ...device, displayName: device.name, deviceType: device.type }));
  }

  async GetSourceNamesAsync() {
    return (await this.GetDevicesAsync()).map(({ name }) => name);
  }

  get SourceCount() {
    return this.#devices.length;
  }

  get CurrentSourceName() {
    return this.#device?.name ?? "";
  }

  /** @param {Device} device */
  async SelectDeviceAsync(device) {
    this.#device = device;
    return true;
  }

  /** @param {number} index in the order of GetSourceNamesAsync */
  async SelectSourceByIndexAsync(index) {
    if (!this.#devices.length) await this.GetDevicesAsync();
    this.#device = this.#devices[index];
    return this.#device !== undefined;
  }

  /** Let the user choose in a dialog; false if he closed it. @param {{title?: string, cancel?: string}} [texts] */
  async SelectSourceAsync({ title = spoken().choose, cancel = spoken().cancel } = {}) {
    await this.GetDevicesAsync(undefined, true);
    const { dialog, close } = openDialog();
    const buttons = make("div", "");
    const chosen = new Promise((done) => {
      dialog.addEventListener("close", () => done(undefined));
      for (const device of this.#devices)
        buttons.append(make("button", device.name, { type: "button", onclick: () => (done(device), close()) }));
      buttons.append(make("button", cancel, { type: "button", onclick: () => close() }));
    });
    dialog.append(make("h2", title, { id: "title" }), buttons);
    const device = await chosen;
    this.#device = device ?? this.#device;
    return device !== undefined;
  }

  /** @param {DeviceConfiguration} [configuration] @param {Ok} [ok] @param {Fail} [fail] */
  AcquireImage(configuration, ok, fail) {
    return this.#settle(this.AcquireImageAsync(configuration), ok, fail);
  }

  /** Scan to the end of the buffer. @param {DeviceConfiguration} [configuration] */
  async AcquireImageAsync({ device, IfAutoDiscardBlankpages, caps, ...given } = {}) {
    const own = Object.fromEntries(Object.entries(this).filter(([name]) => CONFIGURATION.includes(name)));
    const removeBlank = IfAutoDiscardBlankpages ?? this.IfAutoDiscardBlankpages;
    this.#tell("OnPreAllTransfers");
    const config = { ...own, ...given };
    const request = { device: device ?? this.#device?.device, config, area: this.#area, job: caps && { caps } };
    this.#stop = new AbortController();
    try {
      await this.buffer.scan(request, { removeBlank, signal: this.#stop.signal });
    } finally {
      this.#stop = null;
    }
    this.#tell("OnPostAllTransfers");
    return true;
  }

  /** Stop the scan that runs for this object; false if none does. */
  async CancelAllPendingTransfers() {
    this.#stop?.abort();
    return this.#stop !== null;
  }

  /** Scan this part of the glass from now on, in inches. @param {number} left @param {number} top @param {number} right @param {number} bottom */
  SetImageLayout(left, top, right, bottom) {
    const [x, y, width, height] = [left, top, right - left, bottom - top].map((each) => each * MM);
    this.#area = { left: x, top: y, width, height };
    return true;
  }

  /** Scan all of the glass again. */
  ResetImageLayout() {
    this.#area = undefined;
    return true;
  }

  // ---- the buffer, as last seen ----

  get HowManyImagesInBuffer() {
    return this.buffer.images.length;
  }

  get CurrentImageIndexInBuffer() {
    return Math.min(Math.max(this.#current, 0), this.buffer.images.length - 1);
  }

  set CurrentImageIndexInBuffer(index) {
    this.#current = index;
    this.buffer.setCurrent(index).catch((error) => this.#note(error));
  }

  /** @param {number} index */ IndexToImageID = (index) => this.buffer.images[index]?.id ?? "";
  /** @param {string} id */ ImageIDToIndex = (id) => this.buffer.images.findIndex((image) => image.id === id);
  /** @param {number} index */ GetImageWidth = (index) => this.buffer.images[index]?.width ?? -1;
  /** @param {number} index */ GetImageHeight = (index) => this.buffer.images[index]?.height ?? -1;
  /** @param {number} index */ GetImageBitDepth = (index) => this.buffer.images[index]?.bitDepth ?? -1;
  /** @param {number} index */ GetImageXResolution = (index) => this.buffer.images[index]?.dpi ?? -1;
  /** @param {number} index */ GetImageYResolution = (index) => this.buffer.images[index]?.dpi ?? -1;

  /** Good for ten minutes. @param {number} index @param {number} [width] @param {number} [height] */
  GetImageURL = (index, width, height) => this.buffer.thumbnail(this.buffer.images[index], width, height);

  /** @param {number} source @param {number} target */
  MoveImage = (source, target) => this.#done(this.buffer.move(source, target));
  /** @param {number} one @param {number} other */
  SwitchImage = (one, other) => this.#done(this.buffer.swap(one, other));
  /** @param {number} index */
  RemoveImage = (index) => this.#done(this.buffer.remove(index));
  RemoveAllImages = () => this.#done(this.buffer.clear());
  RemoveAllSelectedImages = async () => this.#done(this.buffer.remove(await this.buffer.selected()));
  /** @param {number[]} indices */
  SelectImages = (indices) => this.#done(this.buffer.select(indices));
  SelectAllImages = () => this.#done(this.buffer.select(this.buffer.images));

  /** @param {number[]} indices @param {string} tag */
  TagImages = (indices, tag) => this.#done(this.buffer.tag(tag, indices));
  /** @param {string} tag @param {number[]} [indices] */
  RemoveTag = (tag, indices) => this.#done(this.buffer.untag(tag, indices));
  /** @param {string} name @param {string} to */
  RenameTag = (name, to) => this.#done(this.buffer.call("RenameTag", { name, to }));
  /** @param {string} name */
  SetDefaultTag = (name) => this.#done(this.buffer.call("SetDefaultTag", { name }));
  /** @param {string} name */
  FilterImagesByTag = (name) => this.#done(this.buffer.filter(name));
  ClearFilter = () => this.#done(this.buffer.filter());
  GetTagList = () => this.buffer.tags();

  /** @param {string} name */
  CreateDocument = (name) => this.#done(this.buffer.createDocument(name));
  /** @param {string} name */
  OpenDocument = (name) => this.#done(this.buffer.openDocument(name));
  /** @param {string} name @param {string} to */
  RenameDocument = (name, to) => this.#done(this.buffer.renameDocument(name, to));
  /** @param {string} name */
  RemoveDocument = (name) => this.#done(this.buffer.removeDocument(name));
  GetDocumentInfoList = () => this.buffer.documents();
  /** @param {string} name @param {number[]} [indices] */
  CopyToDocumentAsync = (name, indices) => this.#done(this.buffer.copyTo(name, indices));
  /** @param {string} name @param {number[]} [indices] */
  MoveToDocumentAsync = (name, indices) => this.#done(this.buffer.moveTo(name, indices));

  // ---- edits ----

  /** @param {number} index @param {number} angle clockwise @param {boolean} [keepSize] @param {Ok} [ok] @param {Fail} [fail] */
  Rotate = (index, angle, keepSize, ok, fail) => this.#edited(index, this.buffer.rotate(angle, index, { keepSize }), ok, fail);
  /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
  RotateLeft = (index, ok, fail) => this.#edited(index, this.buffer.rotateLeft(index), ok, fail);
  /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
  RotateRight = (index, ok, fail) => this.#edited(index, this.buffer.rotateRight(index), ok, fail);
  /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
  Flip = (index, ok, fail) => this.#edited(index, this.buffer.flip(index), ok, fail);
  /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
  Mirror = (index, ok, fail) => this.#edited(index, this.buffer.mirror(index), ok, fail);
  /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
  Invert = (index, ok, fail) => this.#edited(index, this.buffer.invert(index), ok, fail);
  /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
  ConvertToGrayScale = (index, ok, fail) => this.#edited(index, this.buffer.toGray(index), ok, fail);
  /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
  ConvertToBW = (index, ok, fail) => this.#edited(index, this.buffer.toBlackAndWhite(index), ok, fail);
  /** @param {number} index @param {1 | 8 | 24} bits */
  ChangeBitDepth = (index, bits) => this.#edited(index, this.buffer.setDepth(bits, index));
  /** @param {number} index @param {number} dpi @param {boolean} [resample] */
  SetDPI = (index, dpi, resample) => this.#edited(index, this.buffer.setDpi(dpi, index, { resample }));
  /** @param {number} index @param {number} width @param {number} height */
  ChangeImageSize = (index, width, height) => this.#edited(index, this.buffer.resize({ width, height }, index));
  /** @param {number} index @param {number} value -1000 to 1000 */
  ChangeBrightnessAsync = (index, value) => this.#edited(index, this.buffer.brightness(value, index));
  /** @param {number} index @param {number} value -1000 to 1000 */
  ChangeContrastAsync = (index, value) => this.#edited(index, this.buffer.contrast(value, index));
  /** @param {number} index */
  GetSkewAngle = (index) => this.buffer.skew(index);
  /** @param {number} index */
  IsBlankImageAsync = async (index) => (await this.buffer.isBlank(index)).blank;

  /**
   * @param {number} index
   * @param {number} left
   * @param {number} top
   * @param {number} right
   * @param {number} bottom
   * @param {Ok} [ok]
   * @param {Fail} [fail]
   */
  Crop(index, left, top, right, bottom, ok, fail) {
    return this.#edited(index, this.buffer.crop({ left, top, right, bottom }, index), ok, fail);
  }

  /**
   * @param {number} index
   * @param {number} left
   * @param {number} top
   * @param {number} right
   * @param {number} bottom
   * @param {Ok} [ok]
   * @param {Fail} [fail]
   */
  Erase(index, left, top, right, bottom, ok, fail) {
    return this.#edited(index, this.buffer.erase({ left, top, right, bottom }, index), ok, fail);
  }

  // ---- files in ----

  /** A file, or those that the user chooses. @param {Blob | ""} file @param {number} [type] ignored: files tell it @param {Ok} [ok] @param {Fail} [fail] */
  LoadImageEx(file, type, ok, fail) {
    return this.#settle(this.#load(file ? [file] : chosenFiles()), ok, fail);
  }

  /** @param {Blob} binary @param {Ok} [ok] @param {Fail} [fail] */
  LoadImageFromBinary(binary, ok, fail) {
    return this.#settle(this.#load([binary]), ok, fail);
  }

  /** @param {string} base64 also as a data URL @param {number} [type] ignored: files tell it @param {Ok} [ok] @param {Fail} [fail] */
  LoadImageFromBase64Binary(base64, type, ok, fail) {
    const bytes = Uint8Array.from(atob(base64.slice(base64.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
    return this.#settle(this.#load([new Blob([bytes])]), ok, fail);
  }

  /** @param {Iterable<Blob> | Promise<Iterable<Blob>>} files */
  async #load(files) {
    await this.buffer.load(await files);
    this.#tell("OnPostLoad");
    return true;
  }

  // ---- files out; `SaveAs...` gives them to the browser to download ----

  /** @param {string} name @param {number} index */ SaveAsPDF = (name, index) => this.#download(name, [index], 4);
  /** @param {string} name @param {number} index */ SaveAsJPEG = (name, index) => this.#download(name, [index], 1);
  /** @param {string} name @param {number} index */ SaveAsPNG = (name, index) => this.#download(name, [index], 3);
  /** @param {string} name @param {number} index */ SaveAsTIFF = (name, index) => this.#download(name, [index], 2);
  /** @param {string} name @param {number} index */ SaveAsBMP = (name, index) => this.#download(name, [index], 0);
  /** @param {string} name @param {Ok} [ok] @param {Fail} [fail] */
  SaveAllAsPDF = (name, ok, fail) => this.#settle(this.#download(name, undefined, 7), ok, fail);
  /** @param {string} name @param {Ok} [ok] @param {Fail} [fail] */
  SaveAllAsMultiPageTIFF = (name, ok, fail) => this.#settle(this.#download(name, undefined, 8), ok, fail);

  /** @param {number[] | undefined} indices @param {number} type an ImageType @param {Ok} [ok] @param {Fail} [fail] */
  ConvertToBlob(indices, type, ok, fail) {
    const format = FILES[/** @type {keyof typeof FILES} */ (type)];
    return this.#settle(this.buffer.save({ which: indices, type: format, quality: this.JPEGQuality }), ok, fail);
  }

  /** @param {number[] | undefined} indices @param {number} type an ImageType @param {Ok} [ok] @param {Fail} [fail] @returns {Promise<string>} */
  ConvertToBase64(indices, type, ok, fail) {
    return this.#settle(this.ConvertToBlob(indices, type).then(base64Of), ok, fail);
  }

  /** @param {string} name @param {number[] | undefined} indices @param {number} type */
  async #download(name, indices, type) {
    const url = URL.createObjectURL(await this.ConvertToBlob(indices, type));
    make("a", "", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still be reading
    return true;
  }

  // ---- upload, by the page ----

  /** @param {string} name @param {string} value */
  SetHTTPFormField(name, value) {
    this.#fields[name] = value;
    return true;
  }

  /** @param {string} name @param {string} value */
  SetHTTPHeader(name, value) {
    this.#headers[name] = value;
    return true;
  }

  /**
   * Send images as one file to a web server. With UploadDataFormat.Base64 the field holds text.
   * @param {string} url
   * @param {number[] | undefined} indices
   * @param {number} type an ImageType
   * @param {number} [format] an UploadDataFormat
   * @param {string} [fileName]
   * @param {Ok} [ok] told the answer of the server
   * @param {Fail} [fail]
   */
  HTTPUpload(url, indices, type, format = 0, fileName = "", ok, fail) {
    const name = fileName || `scan.${FILES[/** @type {keyof typeof FILES} */ (type)]}`;
    const sent = async () => {
      const file = await this.ConvertToBlob(indices, type);
      return this.#send(url, format === UploadDataFormat.Base64 ? new Blob([await base64Of(file)]) : file, name);
    };
    return this.#settle(sent(), ok, fail);
  }

  /** @param {string} url @param {Blob} blob @param {Ok} [ok] @param {Fail} [fail] */
  httpUploadBlob(url, blob, ok, fail) {
    return this.#settle(this.#send(url, blob, "blob"), ok, fail);
  }

  /** @param {string} url @param {Blob} file @param {string} fileName */
  async #send(url, file, fileName) {
    const onProgress = (/** @type {{loaded: number, total: number}} */ { loaded, total }) =>
      this.#tell("OnInternetTransferPercentage", Math.round((100 * loaded) / Math.max(1, total)));
    const how = { fieldName: this.HttpFieldNameOfUploadedImage, fields: this.#fields, headers: this.#headers };
    const { text } = await upload(file, { url, fileName, onProgress, ...how });
    return (this.HTTPPostResponseString = text);
  }

  // ---- behind them ----

  /** @param {string} name @param {...any} about */
  #tell(name, ...about) {
    for (const listener of this.#listeners.get(name) ?? []) listener(...about);
  }

  /** @param {any} error */
  #note(error) {
    this.ErrorCode = String(error.code ?? error.name);
    this.ErrorString = error.message;
  }

  /**
   * @template T
   * @param {Promise<T>} work
   * @param {Ok} [ok]
   * @param {Fail} [fail]
   */
  async #settle(work, ok, fail) {
    try {
      const result = await work;
      ok?.(result);
      return result;
    } catch (error) {
      this.#note(error);
      if (!fail) throw error;
      fail(this.ErrorCode, this.ErrorString);
      return /** @type {any} */ (false);
    }
  }

  /** @param {Promise<unknown>} work */
  #done = (work) => this.#settle(work.then(() => true));

  /** @param {number} index @param {Promise<unknown>} work @param {Ok} [ok] @param {Fail} [fail] */
  #edited(index, work, ok, fail) {
    const told = work.then(() => (this.#tell("OnBitmapChanged", [index]), true));
    return this.#settle(told, ok, fail);
  }
}

/** What the user chooses; nothing if he does not. @returns {Promise<File[]>} */
function chosenFiles() {
  return new Promise((done) => {
    const input = make("input", "", { type: "file", multiple: true, accept: "image/*,application/pdf" });
    input.onchange = () => done([...(input.files ?? [])]);
    input.oncancel = () => done([]);
    input.click();
  });
}

/** @param {Blob} blob @returns {Promise<string>} */
function base64Of(blob) {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(blob);
  });
}
