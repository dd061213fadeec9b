// A React component that scans into an image buffer and shows it. With it: npm install dwtsvc react react-dom

import { connect, installPrompt } from "dwtsvc";
import { useEffect, useRef, useState } from "react";

export function Scanner({ options, onSaved }) {
  const [buffer, setBuffer] = useState(null);
  const [images, setImages] = useState([]);
  const [problem, setProblem] = useState("");
  const scanning = useRef(null);

  useEffect(() => {
    if (!buffer) return undefined;
    const stop = new AbortController();
    const show = () => setImages(buffer.images);
    buffer.addEventListener("change", show, { signal: stop.signal });
    show();
    return () => stop.abort();
  }, [buffer]);

  async function scan() {
    setProblem("");
    scanning.current = new AbortController();
    try {
      const target = buffer ?? (await open(options));
      setBuffer(target);
      await target?.scan({ resolution: 100, pages: 2 }, { signal: scanning.current.signal });
    } catch (error) {
      setProblem(error.message);
    }
  }

  return (
    <section>
      <button onClick={scan}>Scan</button>
      <button onClick={() => scanning.current?.abort()}>Stop</button>
      <button disabled={!images.length} onClick={async () => onSaved(await buffer.save({ type: "pdf" }))}>
        Save
      </button>
      <p role="alert">{problem}</p>
      {images.map((image) => (
        <figure key={image.id}>
          <img src={buffer.thumbnail(image, 200)} alt={`Page ${image.index + 1}`} />
          <button onClick={() => buffer.rotateRight(image)}>Rotate page {image.index + 1}</button>
        </figure>
      ))}
    </section>
  );
}

/** The buffer of this page; null if the user closed the dialog. */
async function open(options) {
  const reconnect = () => connect(options);
  const service = await reconnect().catch((error) => installPrompt({ error, reconnect }));
  return service && service.buffer("react");
}
