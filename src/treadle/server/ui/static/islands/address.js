// MLflow's client prints addresses of its own pages (/#/experiments/1/runs/abc, /#/models/late):
// whoever follows one from a training's output comes to the page that shows the same here.
(() => {
  "use strict";
  const PAGES = [
    [/^#\/experiments\/[^/?]+\/runs\/([^/?]+)/, (found) => `/runs/${found[1]}`],
    [/^#\/experiments\/([^/?]+)/, (found) => `/experiments/${found[1]}`],
    [/^#\/models\/([^/?]+)\/versions\/(\d+)/, (found) => `/models/${found[1]}/${found[2]}`],
    [/^#\/models\/([^/?]+)/, (found) => `/models/${found[1]}`],
  ];
  const root = document.documentElement.dataset.root || "";

  function go() {
    for (const [form, place] of PAGES) {
      const found = location.hash.match(form);
      if (found) return location.replace(root + place(found));
    }
  }

  go();
  addEventListener("hashchange", go);
})();
