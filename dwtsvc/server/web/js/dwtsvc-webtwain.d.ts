import type { Device, Options } from "./dwtsvc/types.js";
export type Ok = (...results: any[]) => void;
export type Fail = (code: string, message: string) => void;
export type Wanted = {
    device?: string;
    IfAutoDiscardBlankpages?: boolean;
    caps?: object;
};
export type DeviceConfiguration = Record<string, unknown> & Wanted;
export type Buffer = import("./dwtsvc/buffer.js").Buffer;
export type Service = import("./dwtsvc/service.js").Service;
/** @typedef {(...results: any[]) => void} Ok */
/** @typedef {(code: string, message: string) => void} Fail `code` is a word, see DwtsvcError */
/** @typedef {{device?: string, IfAutoDiscardBlankpages?: boolean, caps?: object}} Wanted `caps` as the REST API has them */
/** @typedef {Record<string, unknown> & Wanted} DeviceConfiguration */
/** @typedef {import("./dwtsvc/buffer.js").Buffer} Buffer */
/** @typedef {import("./dwtsvc/service.js").Service} Service */
export declare const ImageType: {
    BMP: number;
    JPG: number;
    TIF: number;
    PNG: number;
    PDF: number;
    MULTIPAGE_PDF: number;
    MULTIPAGE_TIF: number;
};
export declare const PixelType: {
    BW: number;
    GRAY: number;
    RGB: number;
};
export declare const UploadDataFormat: {
    Binary: number;
    Base64: number;
};
/**
 * Connect to the service and open an image buffer.
 * @param {Options & {WebTwainId?: string}} [options]
 */
export declare function CreateDWTObjectEx({ WebTwainId, ...options }?: Options & {
    WebTwainId?: string;
}): Promise<WebTwain>;
/** An image buffer and the scanner that fills it. */
export declare class WebTwain {
    #private;
    service: import("./dwtsvc.js").Service;
    buffer: import("./dwtsvc/buffer.js").Buffer;
    /** @type {number | undefined} */ PixelType: number | undefined;
    /** @type {number | undefined} */ Resolution: number | undefined;
    /** @type {boolean | undefined} */ IfFeederEnabled: boolean | undefined;
    /** @type {boolean | undefined} */ IfDuplexEnabled: boolean | undefined;
    /** @type {number | undefined} */ PageSize: number | undefined;
    /** @type {number | undefined} */ XferCount: number | undefined;
    IfAutoDiscardBlankpages: boolean;
    JPEGQuality: number;
    HttpFieldNameOfUploadedImage: string;
    HTTPPostResponseString: string;
    /** The word of the last error, and its text. */
    ErrorCode: string;
    ErrorString: string;
    /** @param {Service} service @param {Buffer} buffer */
    constructor(service: Service, buffer: Buffer);
    /** @param {string} name @param {(...about: any[]) => void} listener */
    RegisterEvent(name: string, listener: (...about: any[]) => void): boolean;
    /** @param {number} [deviceType] @param {boolean} [refresh] */
    GetDevicesAsync(deviceType?: number, refresh?: boolean): Promise<{
        name: string;
        type: number;
        device: string;
        id: string;
        virtual: boolean;
        kind: import("./dwtsvc/types.js").Kind;
        also: string[];
        displayName: string;
        deviceType: number;
    }[]>;
    GetSourceNamesAsync(): Promise<string[]>;
    get SourceCount(): number;
    get CurrentSourceName(): string;
    /** @param {Device} device */
    SelectDeviceAsync(device: Device): Promise<boolean>;
    /** @param {number} index in the order of GetSourceNamesAsync */
    SelectSourceByIndexAsync(index: number): Promise<boolean>;
    /** Let the user choose in a dialog; false if he closed it. @param {{title?: string, cancel?: string}} [texts] */
    SelectSourceAsync({ title, cancel }?: {
        title?: string;
        cancel?: string;
    }): Promise<boolean>;
    /** @param {DeviceConfiguration} [configuration] @param {Ok} [ok] @param {Fail} [fail] */
    AcquireImage(configuration?: DeviceConfiguration, ok?: Ok, fail?: Fail): Promise<any>;
    /** Scan to the end of the buffer. @param {DeviceConfiguration} [configuration] */
    AcquireImageAsync({ device, IfAutoDiscardBlankpages, caps, ...given }?: DeviceConfiguration): Promise<boolean>;
    /** Stop the scan that runs for this object; false if none does. */
    CancelAllPendingTransfers(): Promise<boolean>;
    /** Scan this part of the glass from now on, in inches. @param {number} left @param {number} top @param {number} right @param {number} bottom */
    SetImageLayout(left: number, top: number, right: number, bottom: number): boolean;
    /** Scan all of the glass again. */
    ResetImageLayout(): boolean;
    get HowManyImagesInBuffer(): number;
    get CurrentImageIndexInBuffer(): number;
    set CurrentImageIndexInBuffer(index: number);
    /** @param {number} index */ IndexToImageID: (index: number) => string;
    /** @param {string} id */ ImageIDToIndex: (id: string) => number;
    /** @param {number} index */ GetImageWidth: (index: number) => number;
    /** @param {number} index */ GetImageHeight: (index: number) => number;
    /** @param {number} index */ GetImageBitDepth: (index: number) => number;
    /** @param {number} index */ GetImageXResolution: (index: number) => number;
    /** @param {number} index */ GetImageYResolution: (index: number) => number;
    /** Good for ten minutes. @param {number} index @param {number} [width] @param {number} [height] */
    GetImageURL: (index: number, width?: number, height?: number) => string;
    /** @param {number} source @param {number} target */
    MoveImage: (source: number, target: number) => Promise<any>;
    /** @param {number} one @param {number} other */
    SwitchImage: (one: number, other: number) => Promise<any>;
    /** @param {number} index */
    RemoveImage: (index: number) => Promise<any>;
    RemoveAllImages: () => Promise<any>;
    RemoveAllSelectedImages: () => Promise<any>;
    /** @param {number[]} indices */
    SelectImages: (indices: number[]) => Promise<any>;
    SelectAllImages: () => Promise<any>;
    /** @param {number[]} indices @param {string} tag */
    TagImages: (indices: number[], tag: string) => Promise<any>;
    /** @param {string} tag @param {number[]} [indices] */
    RemoveTag: (tag: string, indices?: number[]) => Promise<any>;
    /** @param {string} name @param {string} to */
    RenameTag: (name: string, to: string) => Promise<any>;
    /** @param {string} name */
    SetDefaultTag: (name: string) => Promise<any>;
    /** @param {string} name */
    FilterImagesByTag: (name: string) => Promise<any>;
    ClearFilter: () => Promise<any>;
    GetTagList: () => Promise<import("./dwtsvc/types.js").Named[]>;
    /** @param {string} name */
    CreateDocument: (name: string) => Promise<any>;
    /** @param {string} name */
    OpenDocument: (name: string) => Promise<any>;
    /** @param {string} name @param {string} to */
    RenameDocument: (name: string, to: string) => Promise<any>;
    /** @param {string} name */
    RemoveDocument: (name: string) => Promise<any>;
    GetDocumentInfoList: () => Promise<import("./dwtsvc/types.js").Named[]>;
    /** @param {string} name @param {number[]} [indices] */
    CopyToDocumentAsync: (name: string, indices?: number[]) => Promise<any>;
    /** @param {string} name @param {number[]} [indices] */
    MoveToDocumentAsync: (name: string, indices?: number[]) => Promise<any>;
    /** @param {number} index @param {number} angle clockwise @param {boolean} [keepSize] @param {Ok} [ok] @param {Fail} [fail] */
    Rotate: (index: number, angle: number, keepSize?: boolean, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
    RotateLeft: (index: number, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
    RotateRight: (index: number, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
    Flip: (index: number, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
    Mirror: (index: number, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
    Invert: (index: number, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
    ConvertToGrayScale: (index: number, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {number} index @param {Ok} [ok] @param {Fail} [fail] */
    ConvertToBW: (index: number, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {number} index @param {1 | 8 | 24} bits */
    ChangeBitDepth: (index: number, bits: 1 | 8 | 24) => Promise<any>;
    /** @param {number} index @param {number} dpi @param {boolean} [resample] */
    SetDPI: (index: number, dpi: number, resample?: boolean) => Promise<any>;
    /** @param {number} index @param {number} width @param {number} height */
    ChangeImageSize: (index: number, width: number, height: number) => Promise<any>;
    /** @param {number} index @param {number} value -1000 to 1000 */
    ChangeBrightnessAsync: (index: number, value: number) => Promise<any>;
    /** @param {number} index @param {number} value -1000 to 1000 */
    ChangeContrastAsync: (index: number, value: number) => Promise<any>;
    /** @param {number} index */
    GetSkewAngle: (index: number) => Promise<number>;
    /** @param {number} index */
    IsBlankImageAsync: (index: number) => Promise<boolean>;
    /**
     * @param {number} index
     * @param {number} left
     * @param {number} top
     * @param {number} right
     * @param {number} bottom
     * @param {Ok} [ok]
     * @param {Fail} [fail]
     */
    Crop(index: number, left: number, top: number, right: number, bottom: number, ok?: Ok, fail?: Fail): Promise<any>;
    /**
     * @param {number} index
     * @param {number} left
     * @param {number} top
     * @param {number} right
     * @param {number} bottom
     * @param {Ok} [ok]
     * @param {Fail} [fail]
     */
    Erase(index: number, left: number, top: number, right: number, bottom: number, ok?: Ok, fail?: Fail): Promise<any>;
    /** A file, or those that the user chooses. @param {Blob | ""} file @param {number} [type] ignored: files tell it @param {Ok} [ok] @param {Fail} [fail] */
    LoadImageEx(file: Blob | "", type?: number, ok?: Ok, fail?: Fail): Promise<any>;
    /** @param {Blob} binary @param {Ok} [ok] @param {Fail} [fail] */
    LoadImageFromBinary(binary: Blob, ok?: Ok, fail?: Fail): Promise<any>;
    /** @param {string} base64 also as a data URL @param {number} [type] ignored: files tell it @param {Ok} [ok] @param {Fail} [fail] */
    LoadImageFromBase64Binary(base64: string, type?: number, ok?: Ok, fail?: Fail): Promise<any>;
    /** @param {string} name @param {number} index */ SaveAsPDF: (name: string, index: number) => Promise<boolean>;
    /** @param {string} name @param {number} index */ SaveAsJPEG: (name: string, index: number) => Promise<boolean>;
    /** @param {string} name @param {number} index */ SaveAsPNG: (name: string, index: number) => Promise<boolean>;
    /** @param {string} name @param {number} index */ SaveAsTIFF: (name: string, index: number) => Promise<boolean>;
    /** @param {string} name @param {number} index */ SaveAsBMP: (name: string, index: number) => Promise<boolean>;
    /** @param {string} name @param {Ok} [ok] @param {Fail} [fail] */
    SaveAllAsPDF: (name: string, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {string} name @param {Ok} [ok] @param {Fail} [fail] */
    SaveAllAsMultiPageTIFF: (name: string, ok?: Ok, fail?: Fail) => Promise<any>;
    /** @param {number[] | undefined} indices @param {number} type an ImageType @param {Ok} [ok] @param {Fail} [fail] */
    ConvertToBlob(indices: number[] | undefined, type: number, ok?: Ok, fail?: Fail): Promise<any>;
    /** @param {number[] | undefined} indices @param {number} type an ImageType @param {Ok} [ok] @param {Fail} [fail] @returns {Promise<string>} */
    ConvertToBase64(indices: number[] | undefined, type: number, ok?: Ok, fail?: Fail): Promise<string>;
    /** @param {string} name @param {string} value */
    SetHTTPFormField(name: string, value: string): boolean;
    /** @param {string} name @param {string} value */
    SetHTTPHeader(name: string, value: string): boolean;
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
    HTTPUpload(url: string, indices: number[] | undefined, type: number, format?: number, fileName?: string, ok?: Ok, fail?: Fail): Promise<any>;
    /** @param {string} url @param {Blob} blob @param {Ok} [ok] @param {Fail} [fail] */
    httpUploadBlob(url: string, blob: Blob, ok?: Ok, fail?: Fail): Promise<any>;
}
