// Draws each <figure data-chart> with uPlot from the JSON beside it (widgets.Chart): lines, bars, bands
// between low and high, levels, numbered markers. Follows the theme, the width, and live refreshes.
(() => {
  "use strict";
  const HEIGHT = 232;
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
  const TONES = { ok: "--ok", warn: "--warn", bad: "--bad", info: "--info", neutral: "--muted" };
  const drawn = new Map();
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);

  // Custom properties hold light-dark(); only a used colour is resolved.
  function color(name) {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  }

  const faded = (name, percent) => {
    probe.style.color = `color-mix(in srgb, var(${name}) ${percent}%, transparent)`;
    return getComputedStyle(probe).color;
  };

  function say(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (value !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(2);
    if (Number.isInteger(value) || size >= 1000) return Math.round(value).toLocaleString("en-US");
    return value.toPrecision(4);
  }

  const two = (number) => String(number).padStart(2, "0");

  function sayX(kind, seconds) {
    if (seconds === null || seconds === undefined) return "–";
    if (kind === "number") return say(seconds);
    const date = new Date(seconds * 1000);
    if (kind === "day") return date.toISOString().slice(0, 10);
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
  }

  // uPlot counts time in seconds; the page in microseconds.
  const toX = (chart, x) => (chart.x_kind === "number" ? x : x / 1e6);

  function colorName(series, index) {
    return series.style === "muted" ? "--series-muted" : `--series-${(index % 4) + 1}`;
  }

  function line(series, index) {
    const name = colorName(series, index);
    const isBars = series.style === "bars";
    return {
      label: series.label,
      stroke: color(name),
      width: series.style === "muted" ? 1.25 : 1.75,
      dash: series.style === "muted" ? [4, 4] : DASHES[index % DASHES.length],
      fill: isBars ? faded(name, 22) : undefined,
      paths: isBars ? uPlot.paths.bars({ size: [0.7, 40], radius: 0.12 }) : undefined,
      points: { show: !isBars && series.values.length <= 60, size: 4.5, fill: color("--surface") },
      spanGaps: false,
      value: (_, value) => say(value),
    };
  }

  // The edges of an interval are invisible series with a band between them.
  function edges(series, index) {
    const clear = { stroke: "transparent", width: 0, points: { show: false }, class: "edge" };
    return ["low", "high"].map((side) => ({ ...clear, label: `${series.label}, ${side}`, value: (_, v) => say(v) }));
  }

  function parts(chart) {
    const data = [chart.x.map((x) => toX(chart, x))];
    const series = [{ label: chart.x_label, value: (_, value) => sayX(chart.x_kind, value) }];
    const bands = [];
    chart.series.forEach((each, index) => {
      if (each.low.length) {
        data.push(each.low, each.high);
        series.push(...edges(each, index));
        bands.push({ series: [data.length - 1, data.length - 2], fill: faded(colorName(each, index), 14) });
      }
      data.push(each.values);
      series.push(line(each, index));
    });
    return { data, series, bands };
  }

  // Room for the levels too: a threshold outside the picture says nothing.
  function range(chart) {
    return (_, low, high) => {
      const values = [low, high, ...chart.levels.map((level) => level.value)].filter(Number.isFinite);
      const hasBars = chart.series.some((series) => series.style === "bars");
      const bottom = hasBars ? 0 : Math.min(...values);
      const top = Math.max(...values);
      const space = (top - bottom || Math.abs(top) || 1) * 0.08;
      return [hasBars ? 0 : bottom - space, top + space];
    };
  }

  // A bar stands on its x: the first and last need half a step of room.
  function rangeX(chart) {
    const step = chart.x.length > 1 ? toX(chart, chart.x[1]) - toX(chart, chart.x[0]) : 1;
    const room = chart.series.some((series) => series.style === "bars") ? step / 2 : 0;
    return (_, low, high) => [low - room, high + room || 1];
  }

  function drawLevels(plot, chart) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.strokeStyle = ctx.fillStyle = color("--muted");
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    chart.levels.forEach((level) => {
      const y = plot.valToPos(level.value, "y", true);
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.fillText(level.label, bbox.left + bbox.width - 4, y - 2 * devicePixelRatio);
    });
    ctx.restore();
  }

  function drawMarkers(plot, chart) {
    const { ctx, bbox } = plot;
    const radius = 8 * devicePixelRatio;
    ctx.save();
    ctx.font = `600 ${10.5 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    chart.markers.forEach((marker, index) => {
      const x = plot.valToPos(toX(chart, marker.x), "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      const tone = TONES[marker.tone] || TONES.neutral;
      ctx.strokeStyle = faded(tone, 55);
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + radius);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillStyle = color("--surface");
      ctx.strokeStyle = color(tone);
      ctx.beginPath();
      ctx.arc(x, bbox.top, radius, 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
      ctx.fillStyle = color(tone);
      ctx.fillText(String(index + 1), x, bbox.top + devicePixelRatio);
    });
    ctx.restore();
  }

  // Rows of [seconds between ticks, format, when the year turns, …]: days before months, as on the page.
  const DAY_S = 86_400;
  const YEAR = "\n{YYYY}";
  const DATES = [
    [365 * DAY_S, "{YYYY}", null, null, null, null, null, null, 1],
    [28 * DAY_S, "{MMM}", YEAR, null, null, null, null, null, 1],
    [DAY_S, "{D} {MMM}", YEAR, null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  ];

  function axes(chart) {
    const look = {
      stroke: color("--muted"),
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
    };
    return [
      { ...look, size: 42, grid: { show: false }, space: 62, values: chart.x_kind === "number" ? (_, xs) => xs.map(say) : DATES },
      { ...look, size: 56, values: (_, ys) => ys.map((y) => (Number.isInteger(y) ? y.toLocaleString("en-US") : String(+y.toPrecision(6)))) },
    ];
  }

  function options(chart, width, made) {
    return {
      width,
      height: HEIGHT,
      padding: [chart.markers.length ? 18 : 8, 12, 0, 0],
      tzDate: chart.x_kind === "day" ? (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : undefined,
      scales: { x: { time: chart.x_kind !== "number", range: rangeX(chart) }, y: { range: range(chart) } },
      cursor: { drag: { x: true, y: false }, points: { size: 7 } },
      legend: {
        live: true,
        markers: { width: 1, dash: (plot, index) => (plot.series[index].dash?.length ? "dashed" : "solid") },
      },
      axes: axes(chart),
      series: made.series,
      bands: made.bands,
      hooks: { draw: [(plot) => drawLevels(plot, chart), (plot) => drawMarkers(plot, chart)] },
    };
  }

  function legend(chart) {
    const list = document.createElement("ol");
    list.className = "chart-marks";
    chart.markers.forEach((marker, index) => {
      const item = document.createElement("li");
      const sign = document.createElement("b");
      sign.className = marker.tone;
      sign.textContent = String(index + 1);
      item.append(sign, marker.label);
      list.append(item);
    });
    return list;
  }

  function draw(figure) {
    const text = figure.querySelector("script").textContent;
    const room = figure.querySelector(".chart-plot");
    drawn.get(figure.id)?.plot.destroy();
    const chart = JSON.parse(text);
    const made = parts(chart);
    room.replaceChildren();
    const plot = new uPlot(options(chart, room.clientWidth, made), made.data, room);
    if (chart.markers.length) room.append(legend(chart));
    drawn.set(figure.id, { plot, text, room });
  }

  function drawAll(isForced) {
    document.querySelectorAll("[data-chart]").forEach((figure) => {
      const before = drawn.get(figure.id);
      const text = figure.querySelector("script").textContent;
      if (isForced || before === undefined || before.text !== text || !before.room.isConnected) draw(figure);
    });
  }

  function resize() {
    drawn.forEach(({ plot, room }) => {
      if (room.isConnected && room.clientWidth !== plot.width) {
        plot.setSize({ width: room.clientWidth, height: HEIGHT });
      }
    });
  }

  // The canvas paints with the page's font: wait for it, or the first axis is in another one.
  document.fonts.ready.then(() => drawAll(false));
  addEventListener("resize", resize);
  document.addEventListener("treadle:theme", () => drawAll(true));
  document.addEventListener("htmx:after:swap", () => drawAll(false));
})();
