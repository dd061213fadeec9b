// What a camera sees, live, so that a page can be laid straight. The camera is let go before a picture is taken with it:
// it has one user at a time.

import { button, dialog, el } from "./dom.js";
import { t } from "./i18n.js";
import { failed } from "./notices.js";
import { liveUrl, whyDark } from "./service.js";

/** Show it in a dialog. `take` is called when a picture is wanted, `again` to look once more after a failure. */
export function watch(device, take, again) {
  const image = el("img", { alt: t("liveAlt"), src: liveUrl(device) });
  const go = button({ glyph: "scan", text: t("takePicture"), className: "primary", on: { click: () => (root.close(), take()) } });
  const problem = el("section", { className: "problem", hidden: true, aria: { role: "alert" } });
  const side = el("div", { className: "side" }, el("p", { className: "hint", textContent: t("liveHint") }), el("div", { className: "buttons" }, go));
  const view = el("div", { className: "view" }, el("div", { className: "holder" }, image));
  const root = dialog({ title: t("preview"), className: "preview" }, problem, el("div", { className: "body" }, view, side));
  image.addEventListener("error", async () => {
    if (!image.hasAttribute("src")) return;
    image.removeAttribute("src");
    const error = await whyDark(device);
    if (root.open) failed(error, () => (root.close(), again()));
  });
  root.addEventListener("close", () => image.removeAttribute("src")); // or it would go on loading
  go.focus();
}
