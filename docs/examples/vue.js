// A Vue component that scans into an image buffer and shows it. With it: npm install dwtsvc vue

import { connect, installPrompt } from "dwtsvc";
import { shallowRef } from "vue";

export const Scanner = {
  props: ["options"],
  emits: ["saved"],
  setup(props, { emit }) {
    const images = shallowRef([]); // lists are replaced, not changed
    const problem = shallowRef("");
    let buffer = null;

    async function scan() {
      problem.value = "";
      try {
        buffer ??= await open();
        await buffer?.scan({ resolution: 100, pages: 2 });
      } catch (error) {
        problem.value = error.message;
      }
    }

    async function open() {
      const reconnect = () => connect(props.options);
      const service = await reconnect().catch((error) => installPrompt({ error, reconnect }));
      if (!service) return null;
      const opened = await service.buffer("vue");
      opened.addEventListener("change", () => (images.value = opened.images));
      return opened;
    }

    const rotate = (image) => buffer.rotateRight(image);
    const address = (image) => buffer.thumbnail(image, 200);
    const save = async () => emit("saved", await buffer.save({ type: "pdf" }));
    return { images, problem, scan, rotate, address, save };
  },
  template: `
    <section>
      <button @click="scan">Scan</button>
      <button @click="save" :disabled="!images.length">Save</button>
      <p role="alert">{{ problem }}</p>
      <figure v-for="image in images" :key="image.id">
        <img :src="address(image)" :alt="'Page ' + (image.index + 1)">
        <button @click="rotate(image)">Rotate page {{ image.index + 1 }}</button>
      </figure>
    </section>`,
};
