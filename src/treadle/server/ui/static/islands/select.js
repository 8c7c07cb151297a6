// Selection of rows in <form data-select>: one box for all, Shift for a range, how many there are.
// The selection is part of the address (?runs=a,b), so it survives a reload, sorting, paging and
// live refreshes; without this script the form alone compares what is ticked on one page.
(() => {
  "use strict";
  const MOST = 50;
  let last = null;

  const form = () => document.querySelector("form[data-select]");
  const boxes = () => [...form().querySelectorAll('tbody input[name="runs"]')];
  const parted = (text) => (text || "").split(",").filter(Boolean);
  const chosen = () => parted(new URLSearchParams(location.search).get("runs"));

  // Commas stay readable in the address.
  function said(params) {
    const query = params.toString().replaceAll("%2C", ",");
    return query ? `?${query}` : "";
  }

  function remember(ids) {
    const params = new URLSearchParams(location.search);
    params.delete("runs");
    if (ids.length) params.set("runs", ids.join(","));
    history.replaceState(history.state, "", location.pathname + said(params));
    show();
  }

  function hidden(name, value) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value;
    return input;
  }

  // Boxes, hidden fields and words follow the address.
  function show() {
    if (form() === null) return;
    const ids = chosen();
    const here = new Set(boxes().map((box) => box.value));
    boxes().forEach((box) => {
      box.checked = ids.includes(box.value);
      box.closest("tr").classList.toggle("picked", box.checked);
    });
    form().querySelectorAll(':scope > input[type="hidden"]').forEach((input) => input.remove());
    form().prepend(...ids.filter((id) => !here.has(id)).map((id) => hidden("runs", id)));
    const all = form().querySelector("[data-all]");
    const ticked = boxes().filter((box) => box.checked).length;
    all.hidden = false;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && !all.checked;
    form().querySelector("[data-count]").textContent = ids.length ? String(ids.length) : "";
    form().querySelector("[data-clear]").hidden = ids.length === 0;
    form().querySelector("button[type=submit]").disabled = ids.length < 2 || ids.length > MOST;
    form().querySelector("[data-hint]").textContent = hint(ids.length);
    carry(ids);
  }

  function hint(count) {
    if (count === 0) return "Select two runs or more: click, Shift for a range, Space by keyboard.";
    if (count === 1) return "One run is selected: one more to compare.";
    return count > MOST ? `${count} runs are selected; ${MOST} can be compared.` : `${count} runs are selected.`;
  }

  // The filter's form carries the selection on, as the links do.
  function carry(ids) {
    const filters = document.getElementById("filters");
    filters.querySelectorAll('input[type="hidden"][name="runs"]').forEach((input) => input.remove());
    if (ids.length) filters.append(hidden("runs", ids.join(",")));
  }

  function tick(box, isRange) {
    const all = boxes();
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    const touched = isRange && from >= 0 ? all.slice(from, to + 1) : [box];
    const ids = new Set(chosen());
    touched.forEach((each) => (box.checked ? ids.add(each.value) : ids.delete(each.value)));
    last = box;
    remember([...ids]);
  }

  function tickAll(isTicked) {
    const ids = new Set(chosen());
    boxes().forEach((box) => (isTicked ? ids.add(box.value) : ids.delete(box.value)));
    remember([...ids]);
  }

  document.addEventListener("click", (event) => {
    if (form() === null) return;
    const target = event.target;
    if (target.matches('form[data-select] tbody input[name="runs"]')) return tick(target, event.shiftKey);
    if (target.matches("[data-all]")) return tickAll(target.checked);
    if (target.closest("[data-clear]")) return remember([]);
    const link = target.closest("#list a[href]");
    if (link === null || link.origin !== location.origin || link.pathname !== location.pathname) return;
    const address = new URL(link.href);
    address.searchParams.delete("runs");
    if (chosen().length) address.searchParams.set("runs", chosen().join(","));
    link.href = address.pathname + said(address.searchParams);
  });

  // One address for one comparison: the runs in one field, by commas.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-select]")) return;
    event.preventDefault();
    location.assign(`${event.target.action}${said(new URLSearchParams({ runs: chosen().join(",") }))}`);
  });

  document.addEventListener("htmx:after:swap", show);
  show();
})();
