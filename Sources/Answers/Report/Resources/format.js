"use strict";
// Figures as the rest of dirtyrec writes them, and the data of the page.
const dirtyrec = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

  function scaled(value, base, units) {
    let place = 0;
    while (Math.abs(value) >= base - base / 20000 && place < units.length - 1) { value /= base; place += 1; }
    const size = Math.abs(value);
    const digits = Number.isInteger(value) ? 0 : size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0;
    return value.toFixed(digits) + " " + units[place];
  }
  const count = (n) => grouped.format(n);
  const duration = (ns) => Math.abs(ns) < 6e11 ? scaled(ns, 1000, ["ns", "µs", "ms", "s"])
    : Math.floor(ns / 6e10) + " min " + Math.round(ns / 1e9) % 60 + " s";
  const size = (n) => scaled(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]);
  const hex = (n) => "0x" + n.toString(16);
  const rate = (n) => scaled(n, 1000, ["", "k", "M", "G"]).replace(/ $/, "") + "/s";
  function percent(n) {
    if (n === 0 || n === 1) return n * 100 + " %";
    if (n < 0.001) return "< 0.1 %";
    return n > 0.999 ? "> 99.9 %" : (n * 100).toFixed(1) + " %";
  }
  // Control characters and direction overrides make text look like what it is not: they are spelled out, as elsewhere.
  const harmful = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
  const line = (text) => String(text).replace(harmful, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
  const things = (n, one, many) => count(n) + " " + (n === 1 ? one : many);
  const kinds = {
    text: line, count, hex, rate, share: percent, nanoseconds: duration, bytes: size,
    dataRate: (n) => scaled(n, 1024, ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"]), times: (n) => "× " + (Math.abs(n) < 100 ? n.toFixed(2) : Math.abs(n) < 1000 && !Number.isInteger(n) ? n.toFixed(1) : count(n)), decimal: (n) => n.toFixed(2), seconds: (n) => n.toFixed(3),
  };
  const figure = (value, kind) =>
    value === null ? "–" : typeof value === "number" ? (kinds[kind] ?? String)(value) : line(value);

  // One figure, or low..high, or at least low.
  function bracket(pair, print) {
    if (!pair) return "-";
    if (pair[1] === null) return "≥ " + print(pair[0]);
    const [low, high] = pair.map(print);
    return low === high ? high : low + ".." + high;
  }

  const listeners = [], updaters = [], beginners = [];
  // What is selected on the map: seconds and GFNs, or null.
  let selection = null;
  // Which rows of a set lie in the selection: by time, by iteration, or by GFN, whichever it has.
  function selected(set, rows) {
    const chosen = selection;
    if (!chosen) return rows;
    const place = (key) => set.columns.findIndex((column) => column[0] === key);
    const start = place("start_s"), end = place("end_s"), gfn = place("gfn"), at = place("at_s");
    if (gfn >= 0) return rows.filter((row) => row[gfn] >= chosen.low && row[gfn] <= chosen.high);
    if (start >= 0 && end >= 0) return rows.filter((row) => row[start] < chosen.end && row[end] > chosen.start);
    if (end >= 0 || at >= 0) {
      const time = end >= 0 ? end : at;
      return rows.filter((row) => row[time] > chosen.start && row[time] <= chosen.end);
    }
    return rows;
  }

  // Selects in an element that has come, itself included.
  const within = (root) => (selector) => [...(root.matches?.(selector) ? [root] : []), ...root.querySelectorAll(selector)];

  return {
    data, selected, line, things, count, duration, size, hex, percent, figure, bracket,
    get selection() { return selection; },
    select(next) { selection = next; for (const listener of listeners) listener(next); },
    onSelect(listener) { listeners.push(listener); },
    // On a page that follows a recording, the data change, and elements come.
    onUpdate(updater) { updaters.push(updater); },
    update(next, redraw) { Object.assign(data, next); redraw(); for (const updater of updaters) updater(); },
    // Now, and whenever elements come.
    onBegin(beginner) { beginners.push(beginner); beginner(within(document)); },
    begin(element) { for (const beginner of beginners) beginner(within(element)); },
  };
})();
