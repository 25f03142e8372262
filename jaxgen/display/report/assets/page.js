"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const make = (tag, words, attributes) => {
    const made = document.createElement(tag);
    if (words) made.textContent = words;
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    return made;
  };
  const steps = (step) => step.toLocaleString("en-US");
  root.classList.add("scripted");

  // Tables: a click on a title sorts by it; what has no value comes last.
  for (const table of document.querySelectorAll("table.sortable")) {
    const titles = [...table.tHead.rows[0].cells];
    titles.forEach((title, column) => {
      title.querySelector("button").addEventListener("click", () => {
        const up = title.getAttribute("aria-sort") !== "ascending";
        titles.forEach((other) => other.removeAttribute("aria-sort"));
        title.setAttribute("aria-sort", up ? "ascending" : "descending");
        const value = (row) => row.cells[column].dataset.value;
        const rows = [...table.tBodies[0].rows].sort((one, other) => {
          const [a, b] = [value(one), value(other)];
          if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
          const numbers = a !== "" && b !== "" && !isNaN(a) && !isNaN(b);
          const order = numbers ? a - b : a.localeCompare(b);
          return up ? order : -order;
        });
        table.tBodies[0].append(...rows);
      });
    });
  }

  // Samples over training.
  for (const figure of document.querySelectorAll("[data-slider]")) {
    const frames = data.sliders[figure.dataset.slider];
    const [handle, image] = [figure.querySelector("input"), figure.querySelector("img")];
    const newest = image.src;
    const said = image.alt.replace(/ after [\d,]+ steps$/, "");
    if (!handle) continue;
    const move = () => {
      const frame = frames[handle.value];
      image.src = frame.src || newest;
      image.alt = `${said} after ${steps(frame.step)} steps`;
      handle.setAttribute("aria-valuetext", `step ${steps(frame.step)}`);
      figure.querySelector("output").textContent = steps(frame.step);
    };
    handle.addEventListener("input", move);
    move();
  }

  // Captions over training, and where each word looked.
  const unpacked = (weights) => Uint8Array.from(atob(weights), (letter) => letter.charCodeAt(0));
  const clear = (card) => {
    const veil = card.querySelector(".veil");
    veil.getContext("2d").clearRect(0, 0, veil.width, veil.height);
    card.querySelector(".looked").textContent = "";
    card.querySelectorAll("[aria-pressed=true]").forEach((b) => b.setAttribute("aria-pressed", false));
  };
  const look = (card, row, looked, index) => {
    clear(card);
    const [down, across] = row.size;
    const size = down * across;
    const mine = looked.subarray(index * size, (index + 1) * size);
    const veil = card.querySelector(".veil");
    [veil.width, veil.height] = [across, down];
    const pen = veil.getContext("2d");
    let top = 0;
    mine.forEach((weight, place) => {
      if (weight > mine[top]) top = place;
      // What was looked at stays clear, and the rest is in the dark.
      pen.fillStyle = weight > 127 ? `rgb(255 190 0 / ${(weight - 127) / 128 * 0.35})`
        : `rgb(0 0 0 / ${(127 - weight) / 127 * 0.72})`;
      pen.fillRect(place % across, Math.floor(place / across), 1, 1);
    });
    const share = Math.round(100 * row.most[index]);
    card.querySelector(".looked").textContent = `"${row.words[index].trim()}" looked most at row ` +
      `${Math.floor(top / across) + 1}, column ${top % across + 1} of ${down} x ${across}: ${share} %`;
  };
  for (const part of document.querySelectorAll("[data-captions]")) {
    const shown = data.captions[part.dataset.captions];
    const cards = [...part.querySelectorAll(".card")];
    const handle = part.querySelector("input[type=range]");
    const show = (place) => {
      cards.forEach((card, index) => {
        const row = shown[place].rows[index];
        const made = card.querySelector(".made");
        clear(card);
        if (!row || !row.words.length) {
          made.textContent = row ? "(nothing)" : "-";
          return;
        }
        if (!row.weights) {
          made.textContent = row.words.join(row.joined);
          return;
        }
        const looked = unpacked(row.weights);
        made.replaceChildren(...row.words.flatMap((word, which) => {
          const button = make("button", word, { type: "button", "aria-pressed": false });
          const start = () => {
            look(card, row, looked, which);
            button.setAttribute("aria-pressed", true);
          };
          button.addEventListener("mouseenter", start);
          button.addEventListener("focus", start);
          button.addEventListener("click", start);
          button.addEventListener("mouseleave", () => {
            if (document.activeElement !== button) clear(card);
          });
          button.addEventListener("blur", () => clear(card));
          return which && row.joined ? [row.joined, button] : [button];
        }));
      });
      const step = steps(shown[place].step);
      part.querySelector("output").textContent = step;
      if (handle) handle.setAttribute("aria-valuetext", `step ${step}`);
    };
    if (handle) handle.addEventListener("input", () => show(+handle.value));
    show(shown.length - 1);
  }

  // Curves.
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const dashes = [[], [7, 4], [2, 4]];
  const panels = data.panels || [];
  const charts = [];
  const all = panels.flatMap((panel) => panel.curves);
  const whole = [Math.min(...all.map((c) => c.x[0])), Math.max(...all.map((c) => c.x.at(-1)))];
  let range = [...whole], logarithmic = false, every = true;
  const faint = (name, share) => `color-mix(in srgb, ${colour(name)} ${share}%, transparent)`;

  // A margin above and below, also of what is always the same.
  const between = (u, low, high) => {
    if (low == null) return [0, 1];
    const margin = (high - low) * 0.06 || Math.abs(low) * 0.1 || 0.5;
    return [low - margin, high + margin];
  };

  const draw = (place, panel, chart) => {
    const tables = [], series = [{}], bands = [], hidden = chart.hidden;
    const add = (x, y, options) => {
      tables.push([x, logarithmic ? y.map((v) => (v > 0 ? v : null)) : y]);
      series.push({ spanGaps: true, points: { show: false }, ...options });
      return series.length - 1;
    };
    panel.curves.forEach((curve, index) => {
      const name = `--c${curve.colour}`;
      const show = !hidden.has(index);
      const smooth = curve.sx && curve.sx.length;
      const [x, y] = smooth ? [curve.sx, curve.sy] : [curve.x, curve.y];
      const [low, high] = smooth ? [curve.slow, curve.shigh] : [curve.low, curve.high];
      if (smooth && every) {
        add(curve.x, curve.y, { show, width: 1, stroke: () => faint(name, 30) });
      }
      if (low) {
        const above = add(x, high, { show, width: 0, stroke: "transparent" });
        const below = add(x, low, { show, width: 0, stroke: "transparent" });
        bands.push({ series: [above, below], fill: () => faint(name, 18) });
      }
      const options = { show, width: 2, stroke: () => colour(name), dash: dashes[curve.dash % 3] };
      if (x.length < 12) options.points = { show: true, size: 6 };
      add(x, y, { ...options, curve: index });
    });
    const axis = {
      stroke: () => colour("--quiet"),
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { stroke: () => colour("--line"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    const short = (value) => value === null ? "" : Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3)
      ? value.toExponential(0) : `${+value.toPrecision(6)}`;
    const options = {
      width: chart.box.clientWidth, height: 240, series, bands,
      legend: { show: false },
      cursor: { drag: { x: true, y: false }, focus: { prox: 20 }, sync: { key: "steps", setSeries: false } },
      scales: { x: { time: false }, y: logarithmic ? { distr: 3 } : { range: between } },
      axes: [
        { ...axis, values: (u, values) => values.map((v) => v >= 10000 ? `${+(v / 1000).toFixed(2)}k` : `${+v.toFixed(2)}`) },
        { ...axis, size: 62, values: (u, values) => values.map(short) },
      ],
      hooks: {
        setScale: [(u, key) => {
          if (key !== "x" || chart.setting) return;
          const { min, max } = u.scales.x;
          if (min !== range[0] || max !== range[1]) zoom(min, max);
        }],
        setCursor: [(u) => {
          u.series.forEach((one, which) => {
            if (one.curve === undefined) return;
            let near = u.cursor.idx;
            const column = u.data[which];
            while (near > 0 && column[near] == null) near -= 1;
            const value = near == null ? null : column[near];
            chart.outputs[one.curve].textContent = value == null ? ""
              : `${+value.toPrecision(4)} at ${steps(Math.round(u.data[0][near]))}`;
          });
        }],
      },
    };
    if (chart.plot) chart.plot.destroy();
    chart.setting = true;
    chart.plot = new uPlot(options, uPlot.join(tables), chart.box);
    chart.plot.setScale("x", { min: range[0], max: range[1] });
    chart.setting = false;
  };

  const redraw = () => charts.forEach((chart, place) => draw(place, panels[place], chart));
  const zoom = (from, to) => {
    const least = Math.min(1, whole[1] - whole[0]) || 1;
    from = Math.max(whole[0], Math.min(from, whole[1] - least));
    to = Math.min(whole[1], Math.max(to, from + least));
    range = whole[0] === whole[1] ? [whole[0] - 1, whole[0] + 1] : [from, to];
    for (const chart of charts) {
      chart.setting = true;
      chart.plot.setScale("x", { min: range[0], max: range[1] });
    }
    // uPlot tells of a new scale a moment later.
    setTimeout(() => charts.forEach((chart) => { chart.setting = false; }));
    at("from").value = Math.round(range[0]);
    at("to").value = Math.round(range[1]);
  };

  document.querySelectorAll("[data-panel]").forEach((box) => {
    const panel = panels[box.dataset.panel];
    const chart = { box, hidden: new Set(), outputs: [], setting: false };
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `${panel.title}: ` + panel.curves.map((curve) =>
      `${curve.label} ends at ${+curve.told.last[1].toPrecision(4)}`).join("; ") +
      ". The same in words below.");
    const legend = make("ul", "", { class: "legend" });
    panel.curves.forEach((curve, index) => {
      const label = make("label");
      const mark = make("input", "", { type: "checkbox" });
      mark.checked = true;
      mark.addEventListener("change", () => {
        chart.hidden[mark.checked ? "delete" : "add"](index);
        draw(box.dataset.panel, panel, chart);
      });
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("viewBox", "0 0 28 10");
      svg.setAttribute("aria-hidden", "true");
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      line.setAttribute("class", `c${curve.colour} d${curve.dash % 3}`);
      for (const [key, value] of [["x1", 0], ["x2", 28], ["y1", 5], ["y2", 5]]) {
        line.setAttribute(key, value);
      }
      svg.append(line);
      const seeds = curve.seeds > 1 ? ` (${curve.seeds} seeds)` : "";
      const output = make("output");
      label.append(mark, " ", svg, " ", make("bdi", curve.label), seeds, " ");
      const item = make("li");
      item.append(label, output);
      legend.append(item);
      chart.outputs.push(output);
    });
    box.after(legend);
    charts.push(chart);
  });
  if (charts.length) {
    redraw();
    zoom(...whole);
    const middle = () => (range[0] + range[1]) / 2;
    const wide = (share) => zoom(middle() - (range[1] - range[0]) * share,
      middle() + (range[1] - range[0]) * share);
    at("in").addEventListener("click", () => wide(0.25));
    at("out").addEventListener("click", () => wide(1));
    at("all").addEventListener("click", () => zoom(...whole));
    for (const name of ["from", "to"]) {
      at(name).addEventListener("change", () => zoom(+at("from").value, +at("to").value));
    }
    at("log").addEventListener("change", (event) => { logarithmic = event.target.checked; redraw(); });
    at("raw").addEventListener("change", (event) => { every = event.target.checked; redraw(); });
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      charts.forEach((chart) => chart.plot.setSize({ width: chart.box.clientWidth, height: 240 }));
    });
  }

  // Colours: as the system has them, or as somebody chose.
  const repaint = () => charts.forEach((chart) => chart.plot.redraw(false, true));
  const theme = at("theme");
  theme.addEventListener("change", () => {
    if (theme.value) root.dataset.theme = theme.value;
    else delete root.dataset.theme;
    repaint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  // Paper is white.
  let before;
  addEventListener("beforeprint", () => { before = root.dataset.theme; root.dataset.theme = "light"; repaint(); });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before;
    else delete root.dataset.theme;
    repaint();
  });

  // The points of the charts, as a table for other programs.
  at("points").addEventListener("click", () => {
    const quoted = (words) => `"${(/^[=+\-@\t\r]/.test(words) ? "'" : "") + words.replaceAll('"', '""')}"`;
    const rows = ["chart,curve,step,value,low,high"];
    for (const panel of panels) {
      for (const curve of panel.curves) {
        curve.x.forEach((step, i) => rows.push([quoted(panel.title), quoted(curve.label), step,
          curve.y[i] ?? "", curve.low?.[i] ?? "", curve.high?.[i] ?? ""].join(",")));
      }
    }
    const link = make("a", "", { download: "curves.csv" });
    link.href = URL.createObjectURL(new Blob([rows.join("\n") + "\n"], { type: "text/csv" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
