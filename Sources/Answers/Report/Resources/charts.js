"use strict";
// Charts that answer the pointer, where Vega is here: they take the place of the static ones as they come into view.
(() => {
  const { data, selected } = dirtyrec;
  const embed = globalThis.vegaEmbed;
  if (!embed) return;
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const views = new Map();
  const rowsOf = (name) => {
    const set = data.sets[name];
    const keys = set.columns.map((column) => column[0]);
    return selected(set, set.rows).map((row) => Object.fromEntries(keys.map((key, place) => [key, row[place]])));
  };
  const hint = document.createElement("div");
  hint.id = "tip";
  hint.hidden = true;
  document.body.append(hint);
  // Our own tooltip: text only, and no style that the policy would have to allow.
  function tooltip(_, event, item, value) {
    if (!value) { hint.hidden = true; return; }
    hint.textContent = typeof value === "object" ? Object.entries(value).map(([key, text]) => `${key}: ${text}`).join("\n") : String(value);
    hint.hidden = false;
    hint.style.left = Math.min(event.clientX + 14, innerWidth - hint.offsetWidth - 8) + "px";
    hint.style.top = Math.min(event.clientY + 14, innerHeight - hint.offsetHeight - 8) + "px";
  }
  function theme() {
    const colors = ["--s0", "--s1", "--s2", "--s3", "--s4", "--s5", "--s6", "--s7"].map(style);
    const ramp = dark.matches ? ["#24424c", "#206c76", "#3aa088", "#a6ce6c", "#fcf0a5"] : ["#d9e8e8", "#89c4ba", "#3a92a0", "#2b588c", "#281852"];
    const font = "system-ui, sans-serif";
    return {
      background: null, font, view: { stroke: null }, padding: 0,
      range: { category: colors, heatmap: ramp, ramp, ordinal: ramp },
      axis: {
        labelColor: style("--muted"), titleColor: style("--muted"), gridColor: style("--grid"), domainColor: style("--line"),
        tickColor: style("--line"), labelFontSize: 11.5, titleFontSize: 11.5, titleFontWeight: "normal", titlePadding: 8, tickCount: 5,
      },
      axisY: { domain: false, ticks: false },
      legend: { orient: "top", labelColor: style("--muted"), titleColor: style("--muted"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", symbolType: "stroke", offset: 6 },
      line: { strokeWidth: 1.6 }, bar: { color: colors[0] }, mark: { color: colors[0] },
    };
  }
  async function drawChart(figureElement) {
    const name = figureElement.dataset.chart;
    const holder = document.createElement("div");
    holder.className = "vega";
    holder.dataset.vega = name;
    const before = [...figureElement.children];
    figureElement.append(holder);
    const spec = { ...specs[name], data: { name }, datasets: { [name]: rowsOf(name) } };
    const result = await embed(holder, spec, {
      ast: true, actions: false, renderer: "svg", defaultStyle: false, tooltip, config: theme(), hover: true,
    });
    for (const old of before) old.remove();
    views.set(name, { figureElement, result });
    holder.dataset.ready = "true";
  }
  const waiting = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      waiting.unobserve(entry.target);
      // One by one, so that the page stays responsive.
      queue = queue.then(() => new Promise((resolve) => setTimeout(resolve))).then(() => drawChart(entry.target));
    }
  }, { rootMargin: "300px" });
  let queue = Promise.resolve();
  dirtyrec.onBegin((all) => {
    for (const chart of all("[data-chart]")) if (specs[chart.dataset.chart]) waiting.observe(chart);
  });

  const refresh = () => {
    hint.hidden = true;
    for (const [name, { result }] of views) result.view.data(name, rowsOf(name)).runAsync();
  };
  dirtyrec.onSelect(refresh);
  dirtyrec.onUpdate(refresh);
  dark.addEventListener("change", () => {
    for (const [, { figureElement, result }] of views) {
      result.finalize();
      queue = queue.then(() => drawChart(figureElement));
    }
  });
})();
