// Keeps a page that says data-live="prefix prefix" up to date: when the event stream tells of a fact of
// such a kind, the page is fetched again and its main part morphed in, at most once a second.
// The stream is GET /ui/live (text/event-stream): "event: fact", "data: {"kind": "release.promoted", …}".
(() => {
  "use strict";
  const URL = `${document.documentElement.dataset.root}/ui/live`;
  const QUIET_MS = 1000;
  const main = document.getElementById("main");
  const sign = document.getElementById("live");
  const WORDS = { connecting: "connecting", live: "live", lost: "reconnecting" };
  let source = null;
  let waiting = null;
  let lastAt = 0;
  let isBusy = false;

  function say(state) {
    sign.dataset.state = state;
    sign.querySelector(".live-word").textContent = WORDS[state];
  }

  function concerns(kind) {
    const prefixes = (main.dataset.live || "").split(" ").filter(Boolean);
    return prefixes.some((prefix) => prefix === "*" || kind.startsWith(prefix));
  }

  async function refresh() {
    waiting = null;
    if (isBusy) return later();
    isBusy = true;
    lastAt = Date.now();
    try {
      await htmx.ajax("GET", location.pathname + location.search, {
        source: main, target: main, select: "#main", swap: "outerMorph ignoreTitle:true",
      });
    } finally {
      isBusy = false;
    }
  }

  // One refresh answers every fact that arrives while it is waited for.
  function later() {
    waiting ??= setTimeout(refresh, Math.max(50, lastAt + QUIET_MS - Date.now()));
  }

  function hear(message) {
    let fact;
    try {
      fact = JSON.parse(message.data);
    } catch (error) {
      console.warn("live: not JSON", message.data, error);
      return;
    }
    if (concerns(String(fact.kind))) later();
  }

  function open() {
    if (source !== null || !main.dataset.live) return;
    source = new EventSource(URL);
    // What happened while we were away is on no stream: ask once.
    source.addEventListener("open", () => {
      if (sign.dataset.state === "lost") later();
      say("live");
    });
    source.addEventListener("error", () => say("lost"));
    source.addEventListener("fact", hear);
  }

  // A browser keeps six connections to one address: hidden tabs give theirs back.
  function close() {
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    if (main.dataset.live) later();
    open();
  });
  addEventListener("pagehide", close);
  open();
})();
