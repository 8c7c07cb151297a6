// Ctrl-K: go to any page, run, dataset, model or endpoint by typing a part of its name.
// Reads /ui/palette.json once per opening: [{"label": …, "group": …, "href": …}, …].
(() => {
  "use strict";
  const URL = `${document.documentElement.dataset.root}/ui/palette.json`;
  const SHOWN = 12;
  const dialog = document.getElementById("palette");
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("ul");
  let entries = [];
  let matches = [];
  let chosen = 0;
  let message = "";

  // Every word must occur; an earlier, longer hit in the label counts more.
  function score(entry, words) {
    const label = entry.label.toLowerCase();
    const all = `${label} ${entry.group.toLowerCase()}`;
    if (!words.every((word) => all.includes(word))) return -1;
    return words.reduce((sum, word) => {
      const at = label.indexOf(word);
      return sum + (at === 0 ? 3 : at > 0 ? 1 : 0);
    }, 0);
  }

  function find() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    matches = entries
      .map((entry, order) => ({ entry, order, score: score(entry, words) }))
      .filter((match) => match.score >= 0)
      .sort((a, b) => b.score - a.score || a.order - b.order)
      .slice(0, SHOWN)
      .map((match) => match.entry);
    chosen = 0;
    draw();
  }

  function row(entry, index) {
    const item = document.createElement("li");
    item.id = `palette-${index}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(index === chosen));
    item.dataset.index = String(index);
    const label = document.createElement("span");
    label.textContent = entry.label;
    const group = document.createElement("small");
    group.textContent = entry.group;
    item.append(label, group);
    return item;
  }

  function nothing() {
    const item = document.createElement("li");
    item.className = "nothing";
    item.textContent = message || `Nothing is called “${input.value}”.`;
    return item;
  }

  function draw() {
    list.replaceChildren(...(matches.length ? matches.map(row) : [nothing()]));
    if (!matches.length) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", `palette-${chosen}`);
    list.children[chosen].scrollIntoView({ block: "nearest" });
  }

  async function load() {
    message = "Loading…";
    draw();
    try {
      const answer = await fetch(URL, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      entries = await answer.json();
      message = "";
    } catch (error) {
      message = `The list could not be loaded: ${error.message}`;
    }
    find();
  }

  function open() {
    if (dialog.open) return;
    input.value = "";
    dialog.showModal();
    input.focus();
    load();
  }

  function go(index) {
    if (matches[index]) location.assign(matches[index].href);
  }

  function move(by) {
    if (!matches.length) return;
    chosen = (chosen + by + matches.length) % matches.length;
    draw();
  }

  const KEYS = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => go(chosen) };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  input.addEventListener("input", find);
  input.addEventListener("keydown", (event) => {
    if (!KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  list.addEventListener("click", (event) => {
    const item = event.target.closest("[data-index]");
    if (item) go(Number(item.dataset.index));
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.querySelectorAll("[data-palette]").forEach((button) => button.addEventListener("click", open));
})();
