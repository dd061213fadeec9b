// What a person does to pages, each with the way back: undo and redo of this tab, kept over a reload.

import { t } from "./i18n.js";
import { barrier, failed, say, toast } from "./notices.js";
import { buffer, split } from "./service.js";

const DEEPEST = 200;
const KEPT = "dwtsvc.history";

/** One thing done: `kind`, the `ids` of its pages, and what its kind needs. All of it is plain JSON. */
const KINDS = {
  edit: {
    undo: async (pages, { ids, steps }) => repeat(steps, () => buffer.undo(pages.indices(ids))),
    redo: async (pages, { ids, steps }) => repeat(steps, () => buffer.redo(pages.indices(ids))),
  },
  remove: { undo: (pages, { ids }) => pages.unhide(ids), redo: (pages, { ids }) => pages.hide(ids) },
  move: {
    undo: (pages, { before }) => pages.arrange(placed(pages, before)),
    redo: (pages, { after }) => pages.arrange(placed(pages, after)),
  },
  begin: {
    undo: (pages, { ids, yes }) => pages.begin(ids, !yes),
    redo: (pages, { ids, yes }) => pages.begin(ids, yes),
  },
};

async function repeat(times, work) {
  for (let time = 0; time < times; time += 1) await work();
}

/** The order of all pages with some of them each behind the one it is to follow. */
function placed(pages, follows) {
  const moved = new Set(follows.map(([id]) => id));
  const order = pages.all.map((page) => page.id).filter((id) => !moved.has(id));
  for (const [id, before] of follows) order.splice(before ? order.indexOf(before) + 1 : 0, 0, id);
  return order;
}

const following = (order, ids) => order.flatMap((id, at) => (ids.has(id) ? [[id, order[at - 1] ?? null]] : []));

function restored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? { done: [], undone: [] };
  } catch {
    return { done: [], undone: [] };
  }
}

export class Actions extends EventTarget {
  #history = restored();
  #last = Promise.resolve();

  constructor(pages) {
    super();
    this.pages = pages;
  }

  get canUndo() {
    return this.#history.done.length > 0;
  }

  get canRedo() {
    return this.#history.undone.length > 0;
  }

  /** Do one thing after the other; what fails is told, and then counts as not done. Whether it was done. */
  run(work, again = () => this.run(work)) {
    const mine = this.#last.then(() => barrier(() => this.pages.change(work))).then(
      () => true,
      (error) => failed(error, again),
    );
    this.#last = mine;
    return mine;
  }

  /** `what` is what is done, or makes it when its turn has come: the pages may be in another order by then. */
  async #do(what, work = null) {
    let entry = null;
    const act = async () => {
      entry = typeof what === "function" ? what() : what;
      if (entry) await (work ? work() : KINDS[entry.kind].redo(this.pages, entry));
    };
    const noted = async () => {
      await act();
      if (!entry) return;
      this.#history.done.push(entry);
      this.#history.done.splice(0, this.#history.done.length - DEEPEST);
      this.#history.undone = [];
    };
    if (!(await this.run(noted, () => this.#do(what, work))) || !entry) return false;
    this.#note();
    return true;
  }

  #note() {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(this.#history));
    } catch {
      sessionStorage.removeItem(KEPT); // it is full: undo ends at the next reload
    }
    this.dispatchEvent(new Event("change"));
  }

  async undo() {
    await this.#step("done", "undone", "undo");
  }

  async redo() {
    await this.#step("undone", "done", "redo");
  }

  async #step(from, to, way) {
    let entry = null;
    const done = await this.run(async () => {
      entry = this.#history[from].pop(); // now, when what was done before is noted
      if (!entry) return;
      // What is not there any more was deleted by another tab: its history is of no use.
      if (this.pages.of(entry.ids).length === entry.ids.length) await KINDS[entry.kind][way](this.pages, entry);
      this.#history[to].push(entry);
    }, null);
    if (!done && entry) this.#history[from].push(entry);
    this.#note();
    if (done && entry) say(t(way === "undo" ? "undone" : "redone"));
  }

  /** An edit of one step, or of several, of the chosen pages. */
  edit(work, ids = this.pages.chosen.map((page) => page.id), steps = 1) {
    if (!ids.length) return Promise.resolve(false);
    return this.#do({ kind: "edit", ids, steps }, () => work(this.pages.indices(ids)));
  }

  rotate = (angle, ids) => this.edit((indices) => buffer.rotate(angle, indices), ids);
  deskew = (ids) => this.edit((indices) => buffer.deskew(indices), ids);
  crop = (box, ids) => this.edit((indices) => buffer.crop(box, indices), ids);
  erase = (box, ids) => this.edit((indices) => buffer.erase({ ...box, fill: "#ffffff" }, indices), ids);

  adjust(brightness, contrast, ids) {
    const work = async (indices) => {
      if (brightness) await buffer.brightness(brightness * 10, indices);
      if (contrast) await buffer.contrast(contrast * 10, indices);
    };
    return this.edit(work, ids, Number(brightness !== 0) + Number(contrast !== 0));
  }

  async remove(ids = this.pages.chosen.map((page) => page.id), said = "removed") {
    if (!ids.length) return false;
    const at = Math.max(0, this.pages.at(ids[0]));
    if (!(await this.#do({ kind: "remove", ids }))) return false;
    const next = this.pages.list[Math.min(at, this.pages.list.length - 1)]?.id ?? null;
    this.pages.select([], { focus: next });
    toast(t(said, { n: ids.length }), () => this.undo());
    return true;
  }

  /** Put pages before the one that stands at an index of what is shown. */
  async move(ids, index) {
    if (await this.#do(() => this.#moving(ids, index))) {
      say(t("moved", { n: this.pages.at(ids[0]) + 1, all: this.pages.list.length }));
    }
  }

  #moving(ids, index) {
    const moving = new Set(ids);
    const place = typeof index === "function" ? index() : index;
    const target = this.pages.list.slice(place).find((page) => !moving.has(page.id));
    const order = this.pages.all.map((page) => page.id);
    const rest = order.filter((id) => !moving.has(id));
    const at = target ? rest.indexOf(target.id) : rest.length;
    const next = [...rest.slice(0, at), ...order.filter((id) => moving.has(id)), ...rest.slice(at)];
    if (next.every((id, each) => id === order[each])) return null;
    return { kind: "move", ids, before: following(order, moving), after: following(next, moving) };
  }

  /** Move the chosen pages by a number of places. */
  shift(by) {
    const ids = this.pages.chosen.map((page) => page.id);
    if (!ids.length) return Promise.resolve();
    const { pages } = this;
    const before = () => Math.max(0, pages.at(ids[0]) + by);
    return this.move(ids, by < 0 ? before : () => Math.min(pages.list.length, pages.at(ids.at(-1)) + 1 + by));
  }

  begin(pages = this.pages.chosen.slice(0, 1)) {
    if (!pages.length) return Promise.resolve(false);
    return this.#do({ kind: "begin", ids: pages.map((page) => page.id), yes: !pages[0].begins });
  }

  async removeBlanks() {
    const blank = [];
    try {
      for (const [at, page] of this.pages.list.entries()) {
        say(t("checking", { n: at + 1, all: this.pages.list.length }), { shown: true });
        if ((await buffer.isBlank(page.id)).blank) blank.push(page.id);
      }
    } catch (error) {
      return failed(error, () => this.removeBlanks());
    }
    if (!blank.length) return toast(t("noBlanks"));
    return this.remove(blank, "removedBlanks");
  }

  async split() {
    say(t("splitting"), { shown: true });
    const onProgress = ({ page, pages }) => say(t("splitLooking", { n: page, all: pages }), { shown: true });
    try {
      const shown = this.pages.list;
      const map = (await split(shown, { onProgress })).map((each, at) => ({ ...each, id: shown[at].id }));
      const stay = map.filter((each) => each.kept);
      const begins = stay.filter((each, at) => at > 0 && each.document !== stay[at - 1].document);
      const marked = new Set(shown.filter((page) => page.begins).map((page) => page.id));
      const fresh = begins.map((each) => each.id).filter((id) => !marked.has(id));
      const sheets = map.filter((each) => !each.kept).map((each) => each.id);
      if (fresh.length) await this.#do({ kind: "begin", ids: fresh, yes: true });
      if (sheets.length) await this.#do({ kind: "remove", ids: sheets });
      return toast(t("splitDone", { n: this.pages.documents.length }), fresh.length + sheets.length ? () => this.undo() : null);
    } catch (error) {
      return failed(error, () => this.split());
    }
  }
}
