"use strict";
// The dirty map: every cell of the recording on one canvas.
(() => {
  const { data, count, things, hex } = dirtyrec;
  const canvas = document.getElementById("map-canvas");
  const context = canvas.getContext("2d");
  const readout = document.getElementById("map-readout");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let map, columns, rows, segments, times, pagesPerRow, layers = [];
  for (const element of document.querySelectorAll("#map [data-script]")) element.hidden = false;

  // Unpacks LEB128 numbers; 0 is followed by a number of zeros.
  function unpack(base64) {
    const bytes = atob(base64);
    const counts = new Uint32Array(rows * columns);
    let cell = 0;
    for (let at = 0; at < bytes.length;) {
      let value = 0, shift = 0, byte;
      do { byte = bytes.charCodeAt(at++); value += (byte & 127) * 2 ** shift; shift += 7; } while (byte > 127);
      if (value > 0) { counts[cell++] = value; continue; }
      let run = 0; shift = 0;
      do { byte = bytes.charCodeAt(at++); run += (byte & 127) * 2 ** shift; shift += 7; } while (byte > 127);
      cell += run;
    }
    return counts;
  }
  function load() {
    ({ map } = data);
    ({ columns, rows, segments, times, pagesPerRow } = map);
    const hidden = new Set(layers.filter((layer) => !layer.shown).map((layer) => layer.name));
    layers = map.layers.map((layer) => ({ name: layer.name, counts: unpack(layer.data), shown: !hidden.has(layer.name) }));
  }
  load();
  let totals = new Uint32Array(rows * columns);
  let most = 1;
  function addUp() {
    const shown = layers.filter((layer) => layer.shown);
    totals = shown.length === 1 ? shown[0].counts : new Uint32Array(rows * columns);
    if (shown.length > 1) {
      for (const { counts } of shown) for (let cell = 0; cell < counts.length; cell++) totals[cell] += counts[cell];
    }
    most = 1;
    for (let cell = 0; cell < totals.length; cell++) if (totals[cell] > most) most = totals[cell];
    document.querySelector("#map .most").textContent = count(most);
  }

  // Colours: lightness is monotonic in both schemes, so that they can be ordered without hue.
  const anchors = {
    light: [[217, 232, 232], [137, 196, 186], [58, 146, 160], [43, 88, 140], [40, 24, 82]],
    dark: [[36, 66, 76], [32, 108, 118], [58, 160, 136], [166, 206, 108], [252, 240, 165]],
  };
  let palette;
  function makePalette() {
    const from = anchors[dark.matches ? "dark" : "light"];
    palette = new Uint32Array(256);
    for (let step = 0; step < 256; step++) {
      const place = step / 255 * (from.length - 1);
      const low = Math.min(Math.floor(place), from.length - 2);
      const [r, g, b] = from[low].map((value, channel) => Math.round(value + (from[low + 1][channel] - value) * (place - low)));
      palette[step] = (255 << 24 | b << 16 | g << 8 | r) >>> 0;
    }
    const legend = document.querySelector("#map .legend canvas");
    const pen = legend.getContext("2d");
    for (let x = 0; x < legend.width; x++) {
      const c = palette[Math.round(x / (legend.width - 1) * 255)];
      pen.fillStyle = `rgb(${c & 255},${c >> 8 & 255},${c >> 16 & 255})`;
      pen.fillRect(x, 0, 1, legend.height);
    }
  }
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // The part that is shown, in columns and rows; and where it stands on the canvas.
  const whole = () => ({ x0: 0, x1: Math.max(columns, 1), y0: 0, y1: Math.max(rows, 1) });
  let view = whole();
  let cursor = null, brush = null, tool = "select", drag = null;
  const margin = { left: 92, right: 8, top: 22, bottom: 30 };
  const area = () => ({
    x: margin.left, y: margin.top, w: Math.max(10, canvas.clientWidth - margin.left - margin.right),
    h: Math.max(10, canvas.clientHeight - margin.top - margin.bottom),
  });
  const toX = (column) => { const a = area(); return a.x + (column - view.x0) / (view.x1 - view.x0) * a.w; };
  const toY = (row) => { const a = area(); return a.y + (row - view.y0) / (view.y1 - view.y0) * a.h; };
  const toColumn = (x) => { const a = area(); return view.x0 + (x - a.x) / a.w * (view.x1 - view.x0); };
  const toRow = (y) => { const a = area(); return view.y0 + (y - a.y) / a.h * (view.y1 - view.y0); };
  const limit = (value, low, high) => Math.min(Math.max(value, low), high);

  function columnAt(seconds) {
    let low = 0, high = columns - 1;
    if (columns === 0 || seconds <= times[0][2]) return 0;
    while (low < high) { const middle = (low + high + 1) >> 1; if (times[middle][2] <= seconds) low = middle; else high = middle - 1; }
    const [, , start, end] = times[low];
    return low + (end > start ? limit((seconds - start) / (end - start), 0, 1) : 0);
  }
  function secondsAt(column) {
    const place = limit(Math.floor(column), 0, columns - 1);
    const [, , start, end] = times[place];
    return start + (end - start) * limit(column - place, 0, 1);
  }
  const segmentAt = (row) => segments.find((segment) => row < segment[2] + segment[3]) ?? segments[segments.length - 1];
  function gfns(row) {
    const [first, pages, firstRow] = segmentAt(row);
    const from = first + (row - firstRow) * pagesPerRow;
    return [from, Math.min(from + pagesPerRow, first + pages) - 1];
  }
  const rowAt = (gfn) => {
    const segment = segments.find(([first, pages]) => gfn < first + pages) ?? segments[segments.length - 1];
    return segment ? segment[2] + limit(Math.floor((gfn - segment[0]) / pagesPerRow), 0, segment[3]) : 0;
  };
  const slotOf = (gfn) => map.slots.find(([, base, pages]) => gfn >= base && gfn < base + pages);

  // The picture: a pixel shows the cell with the most entries among those that it stands for, so that hot spots stay.
  let image = null;
  function paint() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const a = area();
    const width = Math.round(a.w * ratio), height = Math.round(a.h * ratio);
    const pixels = new ImageData(width, height);
    const out = new Uint32Array(pixels.data.buffer);
    const scale = 255 / Math.log(most + 1);
    const firstColumn = new Int32Array(width + 1);
    for (let x = 0; x <= width; x++) firstColumn[x] = Math.floor(view.x0 + x / width * (view.x1 - view.x0));
    const line = new Uint32Array(width);
    let previous = -1, previousEnd = -1;
    for (let y = 0; y < height; y++) {
      const first = limit(Math.floor(view.y0 + y / height * (view.y1 - view.y0)), 0, rows);
      const last = limit(Math.max(first + 1, Math.floor(view.y0 + (y + 1) / height * (view.y1 - view.y0))), 0, rows);
      if (first !== previous || last !== previousEnd) {
        line.fill(0);
        for (let row = first; row < last; row++) {
          const base = row * columns;
          for (let x = 0; x < width; x++) {
            const from = Math.max(firstColumn[x], 0), to = Math.min(Math.max(firstColumn[x + 1], from + 1), columns);
            for (let column = from; column < to; column++) if (totals[base + column] > line[x]) line[x] = totals[base + column];
          }
        }
        previous = first; previousEnd = last;
      }
      for (let x = 0; x < width; x++) {
        if (line[x] > 0) out[y * width + x] = palette[Math.min(255, Math.round(Math.log(line[x] + 1) * scale))];
      }
    }
    image = { pixels, ratio };
  }

  function draw() {
    const ratio = image.ratio;
    const w = Math.round(canvas.clientWidth * ratio), h = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, w, h);
    const a = area();
    context.fillStyle = style("--void");
    context.fillRect(a.x * ratio, a.y * ratio, a.w * ratio, a.h * ratio);
    const layer = new OffscreenCanvas(image.pixels.width, image.pixels.height);
    layer.getContext("2d").putImageData(image.pixels, 0, 0);
    context.drawImage(layer, Math.round(a.x * ratio), Math.round(a.y * ratio));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "11.5px system-ui, sans-serif";
    drawRows(a);
    drawTimes(a);
    drawBrush(a);
  }

  function drawRows(a) {
    context.textAlign = "right";
    context.textBaseline = "middle";
    let lastLabel = -99;
    for (const [first, , firstRow, count] of segments) {
      const top = toY(firstRow), bottom = toY(firstRow + count);
      if (bottom < a.y || top > a.y + a.h) continue;
      const at = Math.max(top, a.y);
      if (firstRow > 0 && top >= a.y) { context.fillStyle = style("--card"); context.fillRect(a.x, top - 1, a.w, 2); }
      const label = top >= a.y ? first : gfns(limit(Math.floor(view.y0), 0, rows - 1))[0];
      if (at - lastLabel > 15) {
        context.fillStyle = style("--muted");
        context.fillText(hex(label), a.x - 12, Math.min(at + 6, a.y + a.h - 4));
        lastLabel = at;
      }
      const tall = Math.min(bottom, a.y + a.h) - at;
      for (let part = 1; part < 6 && tall > 160; part++) {
        const y = at + tall * part / 6;
        if (y - lastLabel < 24) continue;
        context.fillText(hex(gfns(limit(Math.floor(toRow(y)), 0, rows - 1))[0]), a.x - 12, y);
        lastLabel = y;
      }
    }
    // Memory slots: a bar beside the axis, its name across.
    map.slots.forEach(([, base, pages], number) => {
      for (const [first, length, firstRow, rowCount] of segments) {
        if (first >= base + pages || first + length <= base) continue;
        const top = limit(toY(firstRow), a.y, a.y + a.h), bottom = limit(toY(firstRow + rowCount), a.y, a.y + a.h);
        context.fillStyle = style(number % 2 ? "--s1" : "--s6");
        if (bottom > top) context.fillRect(a.x - 7, top, 3, bottom - top);
      }
    });
  }

  function drawTimes(a) {
    if (columns === 0) return;
    context.fillStyle = style("--muted");
    context.strokeStyle = style("--line");
    const start = secondsAt(view.x0), end = secondsAt(view.x1 - 1e-9);
    const rough = (end - start) / Math.max(3, Math.floor(a.w / 80)) || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    for (let tick = Math.ceil(start / step) * step; tick <= end; tick += step) {
      const x = toX(columnAt(tick));
      if (x < a.x || x > a.x + a.w) continue;
      context.fillRect(x, a.y + a.h, 1, 4);
      context.fillText(Number(tick.toPrecision(6)) + " s", x, a.y + a.h + 17);
    }
    // Phases: a dashed line where one ends, its number unless a marker stands there. Markers: where they stand.
    data.phases.slice(1).forEach(([seconds], number) => {
      const x = toX(columnAt(seconds));
      if (x < a.x || x > a.x + a.w) return;
      context.fillStyle = style("--ink");
      for (let y = a.y; y < a.y + a.h; y += 6) context.fillRect(x, y, 1, 3);
      context.textAlign = "left";
      const isFree = data.markers.every(([at]) => Math.abs(toX(columnAt(at)) - x) > 160) && data.phases.length <= 12;
      if (isFree) context.fillText(`phase ${number + 2}`, limit(x + 4, a.x, a.x + a.w - 50), a.y - 8);
    });
    let busy = -1;
    context.textAlign = "left";
    for (const [seconds, text] of data.markers) {
      const x = toX(columnAt(seconds));
      if (x < a.x || x > a.x + a.w) continue;
      context.fillStyle = style("--s1");
      context.fillRect(x - 1, a.y - 4, 2, a.h + 4);
      const short = text.length > 24 ? text.slice(0, 23) + "…" : text;
      const width = context.measureText(short).width;
      const left = Math.min(x + 4, a.x + a.w - width);
      if (left > busy) { context.fillText(short, left, a.y - 8); busy = left + width + 12; }
    }
  }

  function drawBrush(a) {
    const box = drag && drag.kind === "select" ? between(drag.from, drag.to) : brush;
    if (box) {
      const x0 = limit(toX(box.x0), a.x, a.x + a.w), x1 = limit(toX(box.x1), a.x, a.x + a.w);
      const y0 = limit(toY(box.y0), a.y, a.y + a.h), y1 = limit(toY(box.y1), a.y, a.y + a.h);
      context.fillStyle = style("--card");
      context.globalAlpha = 0.55;
      context.fillRect(a.x, a.y, a.w, y0 - a.y); context.fillRect(a.x, y1, a.w, a.y + a.h - y1);
      context.fillRect(a.x, y0, x0 - a.x, y1 - y0); context.fillRect(x1, y0, a.x + a.w - x1, y1 - y0);
      context.globalAlpha = 1;
      context.strokeStyle = style("--ink");
      context.strokeRect(x0 + 0.5, y0 + 0.5, Math.max(1, x1 - x0 - 1), Math.max(1, y1 - y0 - 1));
    }
    if (cursor && document.activeElement === canvas) {
      context.strokeStyle = style("--bad");
      context.lineWidth = 2;
      const x = toX(cursor.x), y = toY(cursor.y);
      context.strokeRect(x - 1, y - 1, Math.max(4, toX(cursor.x + 1) - x + 2), Math.max(4, toY(cursor.y + 1) - y + 2));
      context.lineWidth = 1;
    }
  }

  let pending = false, stale = true;
  function refresh(repaint) {
    stale ||= repaint;
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      if (stale) paint();
      stale = false;
      draw();
    });
  }

  // What stands at a cell, in words.
  function describe(x, y) {
    if (rows === 0 || columns === 0) return "Nothing was dirtied.";
    const column = limit(Math.floor(x), 0, columns - 1), row = limit(Math.floor(y), 0, rows - 1);
    const [first, last] = gfns(row);
    const [tick, ticks, start, end] = times[column];
    const who = layers.filter((layer) => layer.counts[row * columns + column] > 0);
    const slot = slotOf(first);
    return `GFN ${hex(first)}${last > first ? "–" + hex(last) : ""}${slot ? ` (${slot[0]})` : ""} · `
      + `iteration ${count(tick)}${ticks > 1 ? "–" + count(tick + ticks - 1) : ""}, ${start.toFixed(3)}–${end.toFixed(3)} s · `
      + things(totals[row * columns + column], "entry", "entries")
      + (who.length ? " · " + who.map((layer) => `${layer.name}: ${count(layer.counts[row * columns + column])}`).join(", ") : "");
  }
  function between(from, to) {
    const box = {
      x0: limit(Math.floor(Math.min(from.x, to.x)), 0, columns), x1: limit(Math.ceil(Math.max(from.x, to.x)), 0, columns),
      y0: limit(Math.floor(Math.min(from.y, to.y)), 0, rows), y1: limit(Math.ceil(Math.max(from.y, to.y)), 0, rows),
    };
    if (box.x1 === box.x0) box.x1 += 1;
    if (box.y1 === box.y0) box.y1 += 1;
    return box;
  }
  function choose(box) {
    brush = box;
    if (box === null) {
      readout.textContent = "Nothing is selected.";
      dirtyrec.select(null);
    } else {
      let sum = 0, cells = 0;
      for (let row = box.y0; row < box.y1 && row < rows; row++) {
        for (let column = box.x0; column < box.x1 && column < columns; column++) {
          const value = totals[row * columns + column];
          sum += value;
          if (value > 0) cells += 1;
        }
      }
      const from = times[box.x0], to = times[Math.min(box.x1, columns) - 1];
      const low = gfns(box.y0)[0], high = gfns(Math.min(box.y1, rows) - 1)[1];
      readout.textContent = `Selected: ${from[2].toFixed(3)}–${to[3].toFixed(3)} s, iterations ${count(from[0])}–`
        + `${count(to[0] + to[1] - 1)}, GFN ${hex(low)}–${hex(high)} · ${things(sum, "entry", "entries")} in ${things(cells, "cell", "cells")}`;
      dirtyrec.select({ start: from[2], end: to[3], firstTick: from[0], lastTick: to[0] + to[1] - 1, low, high });
    }
    refresh(false);
  }

  function zoom(factor, x, y) {
    const width = limit((view.x1 - view.x0) * factor, Math.min(2, columns), columns);
    const height = limit((view.y1 - view.y0) * factor, Math.min(4, rows), rows);
    const left = limit(x - (x - view.x0) / (view.x1 - view.x0) * width, 0, columns - width);
    const top = limit(y - (y - view.y0) / (view.y1 - view.y0) * height, 0, rows - height);
    view = { x0: left, x1: left + width, y0: top, y1: top + height };
    refresh(true);
  }
  function pan(dx, dy) {
    const width = view.x1 - view.x0, height = view.y1 - view.y0;
    const left = limit(view.x0 + dx, 0, columns - width), top = limit(view.y0 + dy, 0, rows - height);
    view = { x0: left, x1: left + width, y0: top, y1: top + height };
    refresh(true);
  }
  const middle = () => [(view.x0 + view.x1) / 2, (view.y0 + view.y1) / 2];

  const actions = {
    select() { setTool("select"); }, pan() { setTool("pan"); },
    in() { zoom(0.5, ...middle()); }, out() { zoom(2, ...middle()); },
    reset() { view = whole(); choose(null); refresh(true); },
  };
  function setTool(next) {
    tool = next;
    canvas.classList.toggle("panning", tool === "pan");
    for (const button of document.querySelectorAll("[data-map]")) {
      if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", String(button.dataset.map === tool));
    }
  }
  for (const button of document.querySelectorAll("[data-map]")) {
    button.addEventListener("click", () => actions[button.dataset.map]());
  }

  const group = document.querySelector("#map .layers");
  function makeButtons() {
    group.replaceChildren();
    for (const place of layers.length > 1 ? layers.keys() : []) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = layers[place].name;
      button.setAttribute("aria-pressed", String(layers[place].shown));
      button.addEventListener("click", () => {
        const layer = layers[place];
        layer.shown = !layer.shown;
        button.setAttribute("aria-pressed", String(layer.shown));
        addUp();
        refresh(true);
        if (brush) choose(brush);
      });
      group.append(button);
    }
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: toColumn(event.clientX - box.left), y: toRow(event.clientY - box.top) };
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    const at = place(event);
    drag = { kind: tool, from: at, to: at, view: { ...view }, x: event.clientX, y: event.clientY, moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = place(event);
    if (!drag) {
      const inside = at.x >= view.x0 && at.x < view.x1 && at.y >= view.y0 && at.y < view.y1;
      if (inside) readout.textContent = describe(at.x, at.y);
      return;
    }
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4;
    if (!drag.moved) return;
    if (drag.kind === "pan") {
      const a = area();
      view = { ...drag.view };
      pan((drag.x - event.clientX) / a.w * (view.x1 - view.x0), (drag.y - event.clientY) / a.h * (view.y1 - view.y0));
    } else {
      drag.to = at;
      refresh(false);
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const done = drag;
    drag = null;
    if (done.kind === "select") choose(done.moved ? between(done.from, place(event)) : null);
  });
  canvas.addEventListener("pointercancel", () => { drag = null; refresh(false); });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const at = place(event);
    zoom(event.deltaY < 0 ? 0.8 : 1.25, at.x, at.y);
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => { const at = place(event); zoom(0.5, at.x, at.y); });

  let corner = null;
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const step = steps[event.key];
    if (step && event.shiftKey) {
      pan(step[0] * (view.x1 - view.x0) / 8, step[1] * (view.y1 - view.y0) / 8);
    } else if (step) {
      cursor ??= { x: Math.floor(view.x0), y: Math.floor(view.y0) };
      // A step is at least two pixels, so that a large map can be crossed.
      const a = area();
      const dx = Math.max(1, Math.round((view.x1 - view.x0) / a.w * 2)), dy = Math.max(1, Math.round((view.y1 - view.y0) / a.h * 2));
      cursor = { x: limit(cursor.x + step[0] * dx, 0, columns - 1), y: limit(cursor.y + step[1] * dy, 0, rows - 1) };
      readout.textContent = describe(cursor.x, cursor.y);
      if (corner) brush = between(corner, cursor);
      refresh(false);
    } else if (event.key === "+" || event.key === "=") {
      zoom(0.5, ...(cursor ? [cursor.x, cursor.y] : middle()));
    } else if (event.key === "-") {
      zoom(2, ...(cursor ? [cursor.x, cursor.y] : middle()));
    } else if (event.key === "Enter" && cursor) {
      if (corner) { choose(between(corner, { x: cursor.x + 1, y: cursor.y + 1 })); corner = null; } else { corner = { ...cursor }; }
    } else if (event.key === "Escape") {
      corner = null;
      choose(null);
    } else { return; }
    event.preventDefault();
  });
  canvas.addEventListener("focus", () => refresh(false));
  canvas.addEventListener("blur", () => refresh(false));
  dark.addEventListener("change", () => { makePalette(); refresh(true); });
  new ResizeObserver(() => refresh(true)).observe(canvas);

  // New data: what was shown and selected, by its times and pages, unless it was the whole map.
  dirtyrec.onUpdate(() => {
    const isWhole = view.x0 === 0 && view.y0 === 0 && view.x1 === Math.max(columns, 1) && view.y1 === Math.max(rows, 1);
    const shown = columns && rows ? [secondsAt(view.x0), secondsAt(view.x1 - 1e-9), gfns(view.y0)[0], gfns(Math.max(view.y1 - 1, 0))[1]] : null;
    const focus = cursor && columns && rows ? [secondsAt(cursor.x), gfns(cursor.y)[0]] : null;
    const names = layers.map((layer) => layer.name).join();
    load();
    if (layers.map((layer) => layer.name).join() !== names) makeButtons();
    view = whole();
    if (!isWhole && shown && columns && rows) {
      const x0 = limit(columnAt(shown[0]), 0, Math.max(0, columns - 2)), y0 = limit(rowAt(shown[2]), 0, Math.max(0, rows - 4));
      view = { x0, y0, x1: limit(columnAt(shown[1]), Math.min(x0 + 2, columns), columns), y1: limit(rowAt(shown[3]) + 1, Math.min(y0 + 4, rows), rows) };
    }
    cursor = focus ? { x: Math.floor(columnAt(focus[0])), y: rowAt(focus[1]) } : null;
    corner = null;
    const chosen = dirtyrec.selection;
    if (chosen) {
      brush = between({ x: columnAt(chosen.start + 1e-9), y: rowAt(chosen.low) }, { x: columnAt(chosen.end - 1e-9) + 1e-9, y: rowAt(chosen.high) + 1 });
    }
    addUp();
    refresh(true);
  });

  makePalette();
  makeButtons();
  addUp();
  paint();
  draw();
  readout.textContent = "Point at the map to read it.";
  canvas.dataset.ready = "true";
})();
