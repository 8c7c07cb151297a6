// Draws the figures in [data-curves] from /ui/curves.json: one metric each, a line for every run, over steps
// or time, on a common cursor. Only what is in sight is asked for; a run that is running is asked about again
// (the browser sends If-None-Match). How curves look (x, log, smooth) is part of the address.
(() => {
  "use strict";
  const HEIGHT = 232;
  const LIVE_MS = 2000;
  const COLORS = 8;
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 2], [1, 3]];
  const RAW_MOST = 6;
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const loaded = new Map(); // figure id → { curves, tag, plot, look }
  const seen = new Set();

  // Custom properties hold light-dark(); only a used colour is resolved.
  function color(name, percent = 100) {
    probe.style.color = `color-mix(in srgb, var(${name}) ${percent}%, transparent)`;
    return getComputedStyle(probe).color;
  }

  function say(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (value !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(2);
    if (Number.isInteger(value)) return value.toLocaleString("en-US");
    return size >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(4);
  }

  function lasted(seconds) {
    if (Math.abs(seconds) < 60) return `${+seconds.toFixed(1)} s`;
    if (Math.abs(seconds) < 5400) return `${+(seconds / 60).toFixed(1)} min`;
    return `${+(seconds / 3600).toFixed(2)} h`;
  }

  const two = (number) => String(number).padStart(2, "0");

  function sayX(x, value) {
    if (value === null || value === undefined) return "";
    if (x === "step") return `step ${value.toLocaleString("en-US")}`;
    if (x === "relative") return `after ${lasted(value)}`;
    const date = new Date(value * 1000);
    return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  }

  const controls = () => document.querySelector("[data-curve-look]");

  function look() {
    const form = controls();
    if (form === null) return { x: "step", isLog: false, smooth: 0 };
    const fields = form.elements;
    return { x: fields.x.value, isLog: fields.log.checked, smooth: Number(fields.smooth.value) };
  }

  // The moving average that TensorBoard draws: weights fall off, and the beginning is not pulled to zero.
  function smoothed(values, weight) {
    if (!weight) return values;
    let sum = 0;
    let share = 1;
    return values.map((value) => {
      if (value === null) return null;
      sum = sum * weight + (1 - weight) * value;
      share *= weight;
      return sum / (1 - share);
    });
  }

  // One pair of columns: x rising, each x once, the last value for it.
  function columns(curve, how) {
    const first = curve.at[0];
    const xs = how.x === "step" ? curve.step : curve.at.map((at) => (how.x === "time" ? at : at - first) / 1e6);
    const byX = new Map();
    xs.forEach((x, index) => byX.set(x, curve.value[index]));
    const order = [...byX.keys()].sort((a, b) => a - b);
    const positive = (value) => (how.isLog && value !== null && value <= 0 ? null : value);
    return [order, order.map((x) => positive(byX.get(x)))];
  }

  function tables(set, key, curves, how) {
    const lines = [];
    set.runs.forEach((run, index) => {
      const curve = curves.find((each) => each.run === run && each.key === key);
      if (curve === undefined) return;
      const [xs, ys] = columns(curve, how);
      const name = { index, label: set.names[index], points: xs.length, isThinned: curve.is_thinned };
      if (how.smooth && set.runs.length <= RAW_MOST) lines.push({ ...name, xs, ys, isRaw: true });
      lines.push({ ...name, xs, ys: smoothed(ys, how.smooth), isRaw: false });
    });
    return lines;
  }

  function series(line) {
    const name = `--series-${(line.index % COLORS) + 1}`;
    return {
      label: line.label,
      stroke: color(name, line.isRaw ? 25 : 100),
      width: line.isRaw ? 1 : 1.6,
      dash: DASHES[Math.floor(line.index / COLORS) % DASHES.length],
      points: { show: line.points <= 40, size: 4.5, fill: color("--surface") },
      spanGaps: false,
    };
  }

  function axes(how) {
    const shared = {
      stroke: color("--muted"),
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
    };
    const xs = { step: (_, all) => all.map(say), relative: (_, all) => all.map(lasted) };
    const y = { ...shared, size: 58, values: (_, ys) => ys.map((v) => (v === null ? "" : Math.abs(v) < 1000 ? String(+v.toPrecision(6)) : say(v))) };
    return [{ ...shared, size: 30, grid: { show: false }, space: 62, values: xs[how.x] }, y];
  }

  function options(figure, lines, how, width) {
    return {
      width,
      height: HEIGHT,
      padding: [8, 12, 0, 0],
      scales: {
        x: { time: how.x === "time" },
        y: how.isLog ? { distr: 3 } : { range: (_, low, high) => spread(low, high) },
      },
      focus: { alpha: 0.25 },
      cursor: {
        drag: { x: true, y: false },
        points: { size: 7 },
        focus: { prox: lines.length > 1 ? 30 : -1 },
        sync: { key: "curves", setSeries: false },
      },
      legend: { show: false },
      axes: axes(how),
      series: [{}, ...lines.map(series)],
      hooks: { setCursor: [(plot) => tell(figure, plot, lines, how)] },
    };
  }

  function spread(low, high) {
    if (low === null || high === null) return [0, 1];
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    return [low - room, high + room];
  }

  const note = (figure) => figure.querySelector(".chart-note");

  // Below each chart: the line under the cursor, else whether points were left out.
  function tell(figure, plot, lines, how) {
    const at = plot.cursor.idx;
    if (at === null || at === undefined) return rest(figure, lines);
    const drawn = plot.series.findIndex((each, index) => index > 0 && each._focus !== null && each._focus === true);
    const wanted = drawn > 0 ? [drawn] : lines.map((_, index) => index + 1).filter((index) => !lines[index - 1].isRaw);
    const said = wanted
      .map((index) => ({ name: lines[index - 1].label, value: near(plot, index, at) }))
      .filter((each) => each.value !== null);
    const shown = said.slice(0, 4).map((each) => (lines.length > 1 ? `${each.name} ${say(each.value)}` : say(each.value)));
    const more = said.length > 4 ? ` and ${said.length - 4} more` : "";
    note(figure).textContent = `${sayX(how.x, plot.data[0][at])}: ${shown.join(", ")}${more}`;
  }

  // Runs rarely have a point on the very same x: the last one before it counts.
  function near(plot, index, at) {
    for (let place = at; place >= 0; place -= 1) {
      const value = plot.data[index][place];
      if (value !== null && value !== undefined) return value;
    }
    return null;
  }

  function rest(figure, lines) {
    const kept = lines.filter((line) => !line.isRaw).reduce((sum, line) => sum + line.points, 0);
    const isThinned = lines.some((line) => line.isThinned);
    note(figure).textContent = isThinned ? `Thinned to ${kept.toLocaleString("en-US")} points; every extreme is kept.` : "";
  }

  const isZoomed = (plot) => {
    const { min, max } = plot.scales.x;
    const xs = plot.data[0];
    return xs.length > 1 && (min > xs[0] || max < xs[xs.length - 1]);
  };

  function draw(figure, isForced) {
    const held = loaded.get(figure.id);
    if (held === undefined) return;
    const how = look();
    const lines = tables(setOf(figure), figure.dataset.curve, held.curves, how);
    const room = figure.querySelector(".chart-plot");
    if (!lines.length) return;
    const data = uPlot.join(lines.map((line) => [line.xs, line.ys]));
    const same = held.plot && held.count === lines.length && held.plot.root.isConnected;
    if (same && !isForced) {
      held.plot.setData(data, !isZoomed(held.plot));
    } else {
      held.plot?.destroy();
      room.replaceChildren();
      held.plot = new uPlot(options(figure, lines, how, room.clientWidth), data, room);
      held.count = lines.length;
    }
    rest(figure, lines);
    figure.dataset.points = String(lines[0].points);
  }

  const setOf = (figure) => JSON.parse(figure.closest("[data-curves]").querySelector("script").textContent);

  async function load(home, figures) {
    if (!figures.length) return;
    const keys = figures.map((figure) => `&key=${encodeURIComponent(figure.dataset.curve)}`).join("");
    let answer;
    try {
      answer = await fetch(home.dataset.src + keys, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    } catch (error) {
      figures.filter((figure) => !loaded.has(figure.id)).forEach((figure) => {
        note(figure).textContent = `The curve could not be loaded: ${error.message}`;
      });
      return;
    }
    const tag = answer.headers.get("etag") + keys;
    const { curves } = await answer.json();
    figures.forEach((figure) => {
      const held = loaded.get(figure.id);
      if (held?.tag === tag && held.plot?.root.isConnected) return;
      loaded.set(figure.id, { ...held, curves: curves.filter((each) => each.key === figure.dataset.curve), tag });
      draw(figure, false);
    });
  }

  // What came into sight in one moment is asked for together.
  const watcher = new IntersectionObserver((entries) => {
    const homes = new Map();
    entries.forEach(({ target, isIntersecting }) => {
      if (!isIntersecting) return seen.delete(target);
      seen.add(target);
      if (loaded.get(target.id)?.plot?.root.isConnected) return;
      const home = target.closest("[data-curves]");
      homes.set(home, [...(homes.get(home) ?? []), target]);
    });
    homes.forEach((figures, home) => load(home, figures));
  }, { rootMargin: "300px" });

  const watched = new WeakSet();

  function watch() {
    document.querySelectorAll("[data-curves] [data-curve]").forEach((figure) => {
      figure.querySelector(".chart-plot").dataset.waiting = "";
      if (watched.has(figure)) return;
      watched.add(figure);
      watcher.observe(figure);
    });
  }

  function renew() {
    if (document.hidden) return;
    document.querySelectorAll("[data-curves][data-live-curves]").forEach((home) => {
      load(home, [...seen].filter((figure) => figure.isConnected && home.contains(figure)));
    });
  }

  function remember() {
    const { x, isLog, smooth } = look();
    const params = new URLSearchParams(location.search);
    const put = (name, value, usual) => (value === usual ? params.delete(name) : params.set(name, value));
    put("x", x, "step");
    put("log", isLog ? "1" : "", "");
    put("smooth", String(smooth), "0");
    const query = params.toString().replaceAll("%2C", ",");
    history.replaceState(history.state, "", location.pathname + (query ? `?${query}` : "") + location.hash);
    controls().querySelector("output").textContent = String(smooth);
  }

  const drawAll = () => document.querySelectorAll("[data-curve]").forEach((figure) => draw(figure, true));

  document.addEventListener("input", (event) => {
    if (!event.target.closest("[data-curve-look]")) return;
    remember();
    drawAll();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-curve-look]")) event.preventDefault();
  });
  addEventListener("resize", () => {
    loaded.forEach(({ plot }) => {
      const room = plot?.root.parentElement;
      if (room && room.clientWidth !== plot.width) plot.setSize({ width: room.clientWidth, height: HEIGHT });
    });
  });
  document.addEventListener("treadle:theme", drawAll);
  document.addEventListener("htmx:after:swap", watch);
  document.fonts.ready.then(watch);
  setInterval(renew, LIVE_MS);
})();
