// Files that are dropped, pasted or chosen become pages.

import { byId } from "./dom.js";
import { t } from "./i18n.js";
import { barrier, failed, say, toast } from "./notices.js";
import { buffer } from "./service.js";

export class Files {
  #depth = 0;

  constructor(pages) {
    this.pages = pages;
    byId("choose").addEventListener("click", () => this.choose());
    byId("files").addEventListener("change", () => this.take([...byId("files").files]));
    document.addEventListener("paste", (event) => this.#given(event.clipboardData, event));
    document.addEventListener("drop", (event) => {
      this.#over(0);
      this.#given(event.dataTransfer, event);
    });
    document.addEventListener("dragenter", (event) => hasFiles(event) && this.#over(this.#depth + 1));
    document.addEventListener("dragleave", (event) => hasFiles(event) && this.#over(this.#depth - 1));
    document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  }

  #over(depth) {
    this.#depth = Math.max(0, depth);
    byId("drop").hidden = !this.#depth;
  }

  #given(data, event) {
    const files = [...(data?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.take(files);
  }

  choose() {
    byId("files").value = "";
    byId("files").click();
  }

  async take(files) {
    const before = this.pages.list.length;
    for (const file of files) {
      say(t("loading", { name: file.name }), { shown: true });
      try {
        await barrier(() => buffer.load(file));
      } catch (error) {
        failed(error);
        break;
      }
    }
    const n = this.pages.list.length - before;
    if (n > 0) {
      this.pages.announce();
      toast(t("loaded", { n }));
    } else byId("toast").hidden = true;
  }
}

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
