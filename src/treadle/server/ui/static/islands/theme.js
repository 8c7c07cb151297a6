// Sets the theme before the first paint and lets the reader change it: as the system, light, dark.
// Loaded without defer on purpose; tells others by a "treadle:theme" event on the document.
(() => {
  "use strict";
  const KEY = "treadle-theme";
  const ORDER = ["system", "light", "dark"];
  const ICONS = { system: "theme", light: "sun", dark: "moon" };
  const WORDS = { system: "as the system", light: "light", dark: "dark" };

  // Storage may be switched off; the theme then lasts for the page.
  function remembered() {
    try {
      return ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "system";
    } catch {
      return "system";
    }
  }

  function remember(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      return;
    }
  }

  function apply(theme) {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }

  function label(button, theme) {
    button.setAttribute("aria-label", `Theme: ${WORDS[theme]}`);
    button.title = `Theme: ${WORDS[theme]}`;
    button.querySelector("use").setAttribute("href", `#i-${ICONS[theme]}`);
  }

  let theme = remembered();
  apply(theme);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-toggle]");
    label(button, theme);
    button.addEventListener("click", () => {
      theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
      apply(theme);
      remember(theme);
      label(button, theme);
      document.dispatchEvent(new CustomEvent("treadle:theme"));
    });
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new CustomEvent("treadle:theme"));
  });
})();
