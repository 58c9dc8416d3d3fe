"use strict";
// The page of a recording that is being made follows it. The server says by events what is new; this fetches the newer page and takes over what differs
// in it, so that what the reader has opened, chosen, sorted or zoomed stays.
(() => {
  const bar = document.getElementById("live");
  // The token, where there is one.
  const at = (path) => path + location.search;
  let shown = Number(bar.dataset.version), newest = shown, busy = false;

  // What scripts have made or keep up to date themselves.
  const own = "[data-script], .tools, button.copy, noscript, #rounds, table[data-rows], figure:has(.vega), #live";
  const parts = (element, isOld) => [...element.childNodes].filter((node) =>
    node.nodeType === Node.TEXT_NODE ? node.nodeValue.trim() : node.nodeType === Node.ELEMENT_NODE && !(node.matches(isOld ? "[data-script], .tools, button.copy, noscript" : "[data-script], noscript")));
  const key = (node) => node.nodeType === Node.TEXT_NODE ? "text"
    : [node.nodeName, node.id, node.dataset.set, node.dataset.chart, node.dataset.rows, /^(P|DETAILS|DIV)$/i.test(node.nodeName) ? node.className : ""].join("/");
  const begun = [];

  function adopt(old, next) {
    if (old.nodeType === Node.TEXT_NODE) {
      if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
      return;
    }
    if (old.matches(own)) return;
    for (const { name, value } of next.attributes) {
      if (name !== "open" && name !== "aria-pressed" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (old instanceof SVGElement) {
      if (old.innerHTML !== next.innerHTML) old.replaceChildren(...next.cloneNode(true).childNodes);
      return;
    }
    const rest = parts(old, true);
    for (const child of parts(next, false)) {
      const place = rest.findIndex((node) => key(node) === key(child));
      if (place >= 0) {
        for (const gone of rest.splice(0, place)) gone.remove();
        adopt(rest.shift(), child);
      } else {
        const made = document.importNode(child, true);
        if (rest.length) rest[0].before(made); else old.append(made);
        if (made.nodeType === Node.ELEMENT_NODE) begun.push(made);
      }
    }
    for (const gone of rest) gone.remove();
  }

  function take(page) {
    const next = page.getElementById("live");
    dirtyrec.update(JSON.parse(page.getElementById("data").textContent), () => {
      for (const place of [".subtitle", "main"]) adopt(document.querySelector(place), page.querySelector(place));
      bar.querySelector(".note").textContent = next.querySelector(".note").textContent;
      const [map, nextMap] = [document, page].map((each) => each.getElementById("map-canvas"));
      map.setAttribute("aria-label", nextMap.getAttribute("aria-label"));
      for (const element of begun.splice(0)) dirtyrec.begin(element);
    });
    shown = Number(next.dataset.version);
    bar.dataset.version = shown;
  }

  async function follow() {
    // What is being dragged stays where it is.
    if (busy || newest <= shown || document.querySelector("#map-canvas:active")) return;
    busy = true;
    try {
      const reply = await fetch(at("body"), { cache: "no-store" });
      if (reply.ok) take(new DOMParser().parseFromString(await reply.text(), "text/html"));
    } catch (error) {
      // Without the server there is nothing newer.
      if (!(error instanceof TypeError)) throw error;
    } finally {
      busy = false;
    }
  }

  function listen() {
    const events = new EventSource(at("events"));
    events.addEventListener("state", (event) => {
      const { word, text, tone, page } = JSON.parse(event.data);
      bar.className = `live ${tone}`;
      bar.querySelector(".word").textContent = word;
      bar.querySelector(".text").textContent = text;
      newest = page;
      follow();
    });
    events.addEventListener("reload", () => { events.close(); location.reload(); });
    events.addEventListener("error", () => {
      bar.className = "live open";
      bar.querySelector(".word").textContent = "not connected";
      // It tries again itself, unless it was refused.
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    });
  }
  listen();
})();
