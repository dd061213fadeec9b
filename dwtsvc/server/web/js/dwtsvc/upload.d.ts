import type { Reply, Upload } from "./types.js";
/**
 * Send a file. Rejects with `upload-failed`, whose `status` is that of the server, or 0 if it was not reached.
 * @param {Blob} file
 * @param {Upload} how
 * @returns {Promise<Reply>} of the last segment to end, if it is sent in segments
 */
export declare function upload(file: Blob, how: Upload): Promise<Reply>;
/**
 * Send several files, a few at once. One that fails cancels the others.
 * @param {Blob[]} files
 * @param {Upload} how
 * @returns {Promise<Reply[]>} in the order of the files
 */
export declare function uploadAll(files: Blob[], how: Upload): Promise<Reply[]>;
