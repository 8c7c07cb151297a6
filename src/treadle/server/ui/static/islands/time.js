// Turns every <time> from UTC to the viewer's zone; data-kind="ago" says how long ago instead.
// The UTC text of the server stays as the tooltip and for who has no JavaScript.
(() => {
  "use strict";
  const MINUTE = 60;
  const STEPS = [
    [MINUTE, 1, "s"],
    [60 * MINUTE, MINUTE, "min"],
    [24 * 60 * MINUTE, 60 * MINUTE, "h"],
    [60 * 24 * 60 * MINUTE, 24 * 60 * MINUTE, "d"],
  ];

  function local(date) {
    const two = (number) => String(number).padStart(2, "0");
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  }

  function ago(date) {
    const seconds = (Date.now() - date.getTime()) / 1000;
    if (seconds < 0) return local(date);
    if (seconds < 5) return "just now";
    const step = STEPS.find(([limit]) => seconds < limit);
    return step ? `${Math.floor(seconds / step[1])} ${step[2]} ago` : local(date).slice(0, 10);
  }

  function show(element) {
    const date = new Date(element.dateTime);
    if (Number.isNaN(date.getTime())) return;
    const text = element.dataset.kind === "ago" ? ago(date) : local(date);
    if (element.textContent !== text) element.textContent = text;
    if (element.closest("text") === null) {
      element.title = `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    }
  }

  const showAll = () => document.querySelectorAll("time[datetime]").forEach(show);

  showAll();
  document.addEventListener("htmx:after:swap", showAll);
  setInterval(() => document.querySelectorAll('time[data-kind="ago"]').forEach(show), 10_000);
})();
