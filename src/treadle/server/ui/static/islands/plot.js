// Draws all compared runs at once from the JSON in [data-plot] (contexts.RunsPlot): parallel coordinates,
// where dragging along an axis keeps what lies within, and a scatter of two dimensions. Own SVG.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const HEIGHT = 320;
  const TOP = 34;
  const BOTTOM = 26;
  const STEP_LEAST = 92;
  const COLORS = 8;
  const home = document.querySelector("[data-plot]");
  if (home === null) return;
  const plot = JSON.parse(home.querySelector("script").textContent);
  const root = document.documentElement.dataset.root;
  const kept = new Map(); // field → [low, high] as shares of the axis
  let hovered = null;

  function make(name, attributes, ...children) {
    const element = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    element.append(...children);
    return element;
  }

  function say(value) {
    if (typeof value === "string") return value;
    const size = Math.abs(value);
    if (value !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1);
    return String(+value.toPrecision(4));
  }

  // A place between 0 and 1 for each value; texts stand by name, numbers of many sizes by their logarithm.
  function scale(dimension) {
    const there = dimension.values.filter((value) => value !== null);
    const isText = there.some((value) => typeof value === "string");
    if (isText) {
      const names = [...new Set(there.map(String))].sort();
      const place = (value) => (names.length > 1 ? names.indexOf(String(value)) / (names.length - 1) : 0.5);
      return { place, ticks: names.map((name) => [place(name), name]) };
    }
    const low = Math.min(...there);
    const high = Math.max(...there);
    const isLog = low > 0 && high / low >= 100;
    const turn = isLog ? Math.log : (value) => value;
    const back = isLog ? Math.exp : (value) => value;
    const place = (value) => (turn(value) - turn(low)) / (turn(high) - turn(low) || 1);
    const at = (share) => (share === 0 ? low : share === 1 ? high : back(turn(low) + share * (turn(high) - turn(low))));
    return { place, ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, say(at(share))]) };
  }

  const scales = new Map(plot.dimensions.map((each) => [each.field, scale(each)]));
  const dimension = (field) => plot.dimensions.find((each) => each.field === field);

  function place(field, run) {
    const value = dimension(field).values[run];
    return value === null ? null : scales.get(field).place(value);
  }

  function isKept(run) {
    return [...kept].every(([field, [low, high]]) => {
      const at = place(field, run);
      return at !== null && at >= low && at <= high;
    });
  }

  const tone = (run) => `s${(run % COLORS) + 1} d${Math.floor(run / COLORS) % 6}`;
  const state = (run) => (isKept(run) ? (hovered === null || hovered === run ? "" : " behind") : " off");

  // What is drawn of a run says so by its data-run: both pictures light up together.
  function paint() {
    home.querySelectorAll("[data-run]").forEach((element) => {
      const run = Number(element.dataset.run);
      element.setAttribute("class", `${element.dataset.kind} ${tone(run)}${state(run)}${hovered === run ? " on" : ""}`);
    });
    home.querySelectorAll("[data-brush]").forEach((rect) => {
      const range = kept.get(rect.dataset.brush);
      rect.setAttribute("visibility", range ? "visible" : "hidden");
      if (!range) return;
      rect.setAttribute("y", String(up(range[1])));
      rect.setAttribute("height", String(up(range[0]) - up(range[1])));
    });
  }

  function follow(element, run) {
    element.addEventListener("pointerenter", () => { hovered = run; paint(); });
    element.addEventListener("pointerleave", () => { hovered = null; paint(); });
    return element;
  }

  const up = (share) => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);

  function cut(text, length) {
    return text.length > length ? `${text.slice(0, length - 1)}…` : text;
  }

  function axis(each, x) {
    const group = make("g", { class: "plot-axis" });
    const label = make("text", { x, y: 14, "text-anchor": "middle", class: "plot-label" }, cut(each.label, 15));
    label.append(make("title", {}, each.label));
    group.append(label, make("line", { x1: x, x2: x, y1: up(0), y2: up(1) }));
    scales.get(each.field).ticks.forEach(([share, text]) => {
      group.append(make("text", { x: x + 5, y: up(share) + 3.5, class: "plot-tick" }, cut(text, 12)));
    });
    group.append(make("rect", { x: x - 7, width: 14, y: 0, height: 0, rx: 3, class: "plot-brush", "data-brush": each.field }));
    const handle = make("rect", { x: x - 12, width: 24, y: TOP - 8, height: HEIGHT - TOP - BOTTOM + 16, class: "plot-handle" });
    brush(handle, each.field);
    group.append(handle);
    return group;
  }

  function brush(handle, field) {
    let from = null;
    const share = (event) => {
      const box = handle.ownerSVGElement.getBoundingClientRect();
      const at = (HEIGHT - BOTTOM - (event.clientY - box.top)) / (HEIGHT - TOP - BOTTOM);
      return Math.min(1.02, Math.max(-0.02, at));
    };
    handle.addEventListener("pointerdown", (event) => {
      from = share(event);
      handle.setPointerCapture(event.pointerId);
      kept.delete(field);
      paint();
    });
    handle.addEventListener("pointermove", (event) => {
      if (from === null) return;
      const to = share(event);
      if (Math.abs(to - from) > 0.02) kept.set(field, [Math.min(from, to), Math.max(from, to)]);
      paint();
    });
    handle.addEventListener("pointerup", () => { from = null; });
  }

  function path(run, xs) {
    // A run without the value dips below the axis: it is not there, and not a zero.
    const points = plot.dimensions.map((each, index) => {
      const at = place(each.field, run);
      return `${xs[index]},${at === null ? HEIGHT - 8 : up(at)}`;
    });
    const line = make("polyline", { points: points.join(" "), "data-run": run, "data-kind": "plot-line" });
    line.append(make("title", {}, `${run + 1} ${plot.names[run]}`));
    return follow(line, run);
  }

  function drawParallel() {
    const room = home.querySelector("[data-parallel]");
    const count = plot.dimensions.length;
    const width = Math.max(room.clientWidth, 60 + STEP_LEAST * count);
    const xs = plot.dimensions.map((_, index) => 44 + (index * (width - 120)) / Math.max(count - 1, 1));
    const label = `${plot.names.length} runs over ${plot.dimensions.map((each) => each.label).join(", ")}`;
    const svg = make("svg", { width, height: HEIGHT, role: "img", "aria-label": label });
    plot.names.forEach((_, run) => svg.append(path(run, xs)));
    plot.dimensions.forEach((each, index) => svg.append(axis(each, xs[index])));
    room.replaceChildren(svg);
  }

  function frame(svg, across, upward, box) {
    const [left, right] = box;
    scales.get(across).ticks.forEach(([share, text]) => {
      const x = left + share * (right - left);
      svg.append(make("line", { x1: x, x2: x, y1: up(0) + 6, y2: up(1) - 6, class: "plot-grid" }));
      svg.append(make("text", { x, y: HEIGHT - 8, "text-anchor": "middle", class: "plot-tick" }, cut(text, 10)));
    });
    scales.get(upward).ticks.forEach(([share, text]) => {
      svg.append(make("line", { x1: left - 6, x2: right + 6, y1: up(share), y2: up(share), class: "plot-grid" }));
      svg.append(make("text", { x: left - 12, y: up(share) + 4, "text-anchor": "end", class: "plot-tick" }, cut(text, 9)));
    });
  }

  function dot(run, x, y) {
    const circle = make("circle", { cx: x, cy: y, r: 5.5, "data-run": run, "data-kind": "plot-dot" });
    const link = make("a", { href: root + plot.hrefs[run], "aria-label": plot.names[run] }, circle);
    link.append(make("title", {}, `${run + 1} ${plot.names[run]}`));
    if (plot.names.length <= 20) link.append(make("text", { x: x + 9, y: y + 4, class: "plot-tick" }, String(run + 1)));
    return follow(link, run);
  }

  function drawScatter() {
    const room = home.querySelector("[data-scatter]");
    const fields = home.querySelector("[data-plot-axes]").elements;
    const [across, upward] = [fields.px.value, fields.py.value];
    const width = room.clientWidth;
    const box = [76, width - 34];
    const label = `${dimension(upward).label} over ${dimension(across).label}`;
    const svg = make("svg", { width, height: HEIGHT, role: "img", "aria-label": label });
    frame(svg, across, upward, box);
    plot.names.forEach((_, run) => {
      const [x, y] = [place(across, run), place(upward, run)];
      if (x !== null && y !== null) svg.append(dot(run, box[0] + x * (box[1] - box[0]), up(y)));
    });
    room.replaceChildren(svg);
  }

  function drawAll() {
    drawParallel();
    drawScatter();
    paint();
  }

  home.querySelector("[data-plot-axes]").addEventListener("change", (event) => {
    const params = new URLSearchParams(location.search);
    params.set(event.target.name, event.target.value);
    history.replaceState(history.state, "", `${location.pathname}?${params.toString().replaceAll("%2C", ",")}`);
    drawScatter();
    paint();
  });
  addEventListener("resize", drawAll);
  drawAll();
})();
