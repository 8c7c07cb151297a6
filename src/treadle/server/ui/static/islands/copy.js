// Copies what a button with data-copy carries, and says so for a moment.
(() => {
  "use strict";
  const SHOWN_MS = 1400;

  // Over plain HTTP on a team's machine the clipboard API is missing; a selection still copies.
  function copyBySelection(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  async function copy(text) {
    if (!navigator.clipboard) return copyBySelection(text);
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyBySelection(text);
    }
  }

  function say(button, done) {
    const use = button.querySelector("use");
    const label = button.getAttribute("aria-label");
    use.setAttribute("href", done ? "#i-check" : "#i-cross");
    button.setAttribute("aria-label", done ? "Copied" : "Could not copy");
    button.toggleAttribute("data-copied", done);
    setTimeout(() => {
      use.setAttribute("href", "#i-copy");
      button.setAttribute("aria-label", label);
      button.removeAttribute("data-copied");
    }, SHOWN_MS);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button === null || button.hasAttribute("data-copied")) return;
    say(button, await copy(button.dataset.copy));
  });

  // The menu of snippets closes as menus do.
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
})();
