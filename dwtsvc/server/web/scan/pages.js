// The pages as this tab knows them: their order, which are selected, and which one has the focus.
// A removed page stays in the service with a tag, so that its removal can be undone, until the day after.

import { buffer } from "./service.js";

const REMOVED = "removed:"; // and the day, since 1970
const BEGINS = "begins";
const DAY = 86_400_000;
const today = () => Math.floor(Date.now() / DAY);

const isRemoved = (page) => page.tags.some((tag) => tag.startsWith(REMOVED));
const isOld = (page) => page.tags.some((tag) => tag.startsWith(REMOVED) && Number(tag.slice(REMOVED.length)) < today() - 1);

const known = (image) => ({ ...image, begins: image.tags.includes(BEGINS) });

/** Tells `change` when there are other pages, and `select` when other ones are selected. */
export class Pages extends EventTarget {
  all = []; // as the service has them, removed ones too
  list = []; // those that are shown
  selected = new Set(); // ids
  focus = null; // an id
  #anchor = null; // the id from which a range is selected
  #others = new BroadcastChannel("dwtsvc.pages");
  #revision = localStorage.getItem("dwtsvc.revision");

  constructor() {
    super();
    buffer.addEventListener("change", () => this.#show(buffer.images.map(known)));
    this.#others.onmessage = () => this.refresh().catch(() => {});
  }

  /** Ask for all pages anew. */
  async refresh() {
    this.#revision = localStorage.getItem("dwtsvc.revision");
    await buffer.look();
  }

  /** Tell the other tabs of this browser. */
  announce() {
    this.#revision = crypto.randomUUID();
    localStorage.setItem("dwtsvc.revision", this.#revision);
    this.#others.postMessage("changed");
  }

  /** Change something while no other tab does, with indices that hold; the pages are asked for anew afterwards. */
  async change(work) {
    return exclusively(async () => {
      if (this.#revision !== localStorage.getItem("dwtsvc.revision")) await this.refresh();
      try {
        return await buffer.together(work);
      } finally {
        this.announce();
      }
    });
  }

  /** The pages of these ids that are still there. */
  of(ids) {
    const wanted = new Set(ids);
    return this.all.filter((page) => wanted.has(page.id));
  }

  indices(ids) {
    return this.of(ids).map((page) => page.index);
  }

  /** The pages that a tool is for: those selected, in order, else the one with the focus. */
  get chosen() {
    const picked = this.list.filter((page) => this.selected.has(page.id));
    const focused = this.list.find((page) => page.id === this.focus);
    return picked.length ? picked : focused ? [focused] : [];
  }

  get documents() {
    const found = [];
    for (const page of this.list) {
      if (page.begins || !found.length) found.push([]);
      found.at(-1).push(page);
    }
    return found;
  }

  hide = (ids) => buffer.tag(REMOVED + today(), this.indices(ids));

  async unhide(ids) {
    for (const tag of new Set(this.of(ids).flatMap((page) => page.tags.filter((each) => each.startsWith(REMOVED))))) {
      await buffer.untag(tag, this.indices(ids));
    }
  }

  begin = (ids, yes) => (yes ? buffer.tag(BEGINS, this.indices(ids)) : buffer.untag(BEGINS, this.indices(ids)));

  /** Delete for good what was removed before yesterday. */
  async tidy() {
    const old = this.all.filter(isOld).map((page) => page.index);
    if (old.length) await this.change(() => buffer.remove(old));
  }

  /** Bring the pages into an order of all ids with as few moves as there can be. */
  async arrange(order) {
    const now = this.all.map((page) => page.id);
    const run = longestRun(order.map((id) => now.indexOf(id)));
    const staying = new Set(now.filter((_, at) => run.has(at)));
    for (const [at, id] of order.entries()) {
      if (staying.has(id)) continue;
      const from = now.indexOf(id);
      now.splice(from, 1);
      const to = at === 0 ? 0 : now.indexOf(order[at - 1]) + 1;
      now.splice(to, 0, id);
      if (from !== to) await buffer.move(from, to);
    }
  }

  #show(all) {
    this.all = all;
    this.list = all.filter((page) => !isRemoved(page));
    const there = new Set(this.list.map((page) => page.id));
    this.selected = new Set([...this.selected].filter((id) => there.has(id)));
    if (!there.has(this.focus)) this.focus = null;
    this.dispatchEvent(new Event("change"));
  }

  at = (id) => this.list.findIndex((page) => page.id === id);

  select(ids, { focus = this.focus, anchor = focus } = {}) {
    this.selected = new Set(ids);
    this.focus = focus;
    this.#anchor = anchor;
    this.dispatchEvent(new Event("select"));
  }

  toggle(id) {
    const next = new Set(this.selected);
    if (!next.delete(id)) next.add(id);
    this.select(next, { focus: id });
  }

  /** Select all from where the selection began to this page. */
  extend(id) {
    const ends = [this.at(this.#anchor ?? this.list[0]?.id), this.at(id)].map((each) => Math.max(each, 0));
    const range = this.list.slice(Math.min(...ends), Math.max(...ends) + 1);
    this.select(range.map((page) => page.id), { focus: id, anchor: this.#anchor ?? this.list[0]?.id });
  }

  selectAll() {
    this.select(this.list.map((page) => page.id));
  }
}

function exclusively(work) {
  if (!navigator.locks) return work(); // a page that is not secure: other tabs may be in the way there
  return navigator.locks.request("dwtsvc.pages", work);
}

/** The numbers of a list that stand in rising order already, as many as there can be. */
function longestRun(numbers) {
  const tails = []; // where the best run of each length ends
  const before = [];
  for (const [at, number] of numbers.entries()) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[tails[middle]] < number) low = middle + 1;
      else high = middle;
    }
    before[at] = low ? tails[low - 1] : -1;
    tails[low] = at;
  }
  const run = new Set();
  for (let at = tails.at(-1) ?? -1; at >= 0; at = before[at]) run.add(numbers[at]);
  return run;
}
