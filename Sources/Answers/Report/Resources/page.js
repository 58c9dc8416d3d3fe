"use strict";
// Tables that sort, filter and copy; cells that show their rounds.
(() => {
  const { data, figure, bracket, count, size, duration, selected } = dirtyrec;
  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const maxRows = 2000;

  async function copy(text, button) {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = element("textarea", text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1200);
  }
  const field = (value) => {
    // A spreadsheet must not run what a guest wrote.
    const text = value === null ? "" : typeof value === "number" ? String(value) : /^[=+\-@\t]/.test(value) ? "'" + value : value;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  function makeTable(table) {
    let set = data.sets[table.dataset.rows];
    let sort = null, filter = "";
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const more = table.closest("article").querySelector(".more");
    const shownRows = () => {
      let rows = selected(set, set.rows);
      if (filter) {
        rows = rows.filter((row) => row.some((value, column) =>
          figure(value, set.columns[column][2]).toLowerCase().includes(filter) || String(value).toLowerCase().includes(filter)));
      }
      if (sort) {
        const { column, down } = sort;
        rows = [...rows].sort((one, other) => {
          const a = one[column], b = other[column];
          const order = a === b ? 0 : a === null ? -1 : b === null ? 1 : a < b ? -1 : 1;
          return down ? -order : order;
        });
      }
      return rows;
    };
    function render() {
      const rows = shownRows();
      body.replaceChildren(...rows.slice(0, maxRows).map((row) => {
        const line = element("tr");
        row.forEach((value, column) => {
          const kind = set.columns[column][2];
          line.append(element("td", figure(value, kind), { class: kind === "text" ? "t" : "n" }));
        });
        return line;
      }));
      more.textContent = rows.length > maxRows ? `The first ${count(maxRows)} of ${count(rows.length)}.`
        : rows.length < set.rows.length ? `${count(rows.length)} of ${count(set.rows.length)}.` : "";
    }
    heads.forEach((head, column) => {
      const button = element("button", head.textContent, { type: "button" });
      button.addEventListener("click", () => {
        const down = sort && sort.column === column ? !sort.down : set.columns[column][2] !== "text";
        sort = { column, down };
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        render();
      });
      head.replaceChildren(button);
    });
    const tools = element("div", undefined, { class: "tools" });
    const input = element("input", undefined, { type: "search", placeholder: "Filter rows", "aria-label": "Filter rows" });
    input.addEventListener("input", () => { filter = input.value.trim().toLowerCase(); render(); });
    const csv = element("button", "Copy as CSV", { type: "button", class: "copy" });
    csv.addEventListener("click", () => copy([set.columns.map((column) => column[0]), ...shownRows()]
      .map((row) => row.map(field).join(",")).join("\n") + "\n", csv));
    tools.append(input, csv);
    table.closest(".scroll").before(tools);
    const details = table.closest("details");
    const isOpen = () => !details || details.open;
    details?.addEventListener("toggle", () => { if (details.open) render(); });
    dirtyrec.onSelect(() => { if (isOpen()) render(); });
    dirtyrec.onUpdate(() => {
      set = data.sets[table.dataset.rows] ?? set;
      if (table.isConnected && isOpen()) render();
    });
    if (isOpen()) render();
  }

  // A cell of the convergence grid shows its rounds, and the statement that counts them anew.
  function showCell(button) {
    const cell = data.cells[Number(button.dataset.cell)];
    for (const other of document.querySelectorAll("[data-cell]")) other.setAttribute("aria-pressed", String(other === button));
    const card = document.getElementById("rounds");
    card.querySelector(".cell-title").textContent = cell.title;
    card.querySelector(".cell-sentence").textContent = cell.sentence
      + (cell.count > cell.rounds.length ? ` The first ${cell.rounds.length} of ${count(cell.count)} rounds.` : "");
    card.querySelector("tbody").replaceChildren(...cell.rounds.map((round, number) => {
      const [start, pages, bytes, lasts, dirty] = round;
      const line = element("tr");
      const texts = [number + 1, bracket(start, duration), bracket(pages, count), bracket(bytes, size), bracket(lasts, duration), bracket(dirty, count)];
      for (const text of texts) line.append(element("td", String(text), { class: "n" }));
      return line;
    }));
    const known = cell.rounds.map((round, number) => [number + 1, round]).filter(([, round]) => round[4] && round[4][1] !== null);
    const values = known.map(([number, [start, , , lasts]]) =>
      `(${number}, ${cell.start_ns + start[0]}, ${cell.start_ns + start[1]}, ${lasts[0]}, ${lasts[1]})`).join(", ");
    card.querySelector("code").textContent = values ? data.convergenceSQL.replace("ROUNDS", values) : "";
    card.querySelector(".sql").hidden = !values;
    card.querySelector(".scroll").hidden = cell.rounds.length === 0;
  }

  dirtyrec.onBegin((all) => {
    for (const table of all("table[data-rows]")) makeTable(table);
    for (const pre of all("pre[data-sql]")) {
      const button = element("button", "Copy", { type: "button", class: "copy" });
      button.addEventListener("click", () => copy(pre.textContent, button));
      pre.after(button);
    }
  });
  // Cells may be replaced by newer ones.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-cell]");
    if (button) showCell(button);
  });
  dirtyrec.onUpdate(() => {
    const button = document.querySelector("[data-cell][aria-pressed=true]");
    if (button) showCell(button);
  });

  document.documentElement.dataset.ready = Math.round(performance.now());
})();
