"""`dirtyrec report --follow` in a real browser, while a guest is recorded: scripts/test-live runs this file with the program and a folder."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

from playwright.sync_api import sync_playwright

DIRTYREC, FOLDER = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
PATIENCE = 300_000


class LiveTest(unittest.TestCase):
    def setUp(self):
        self.playwright = sync_playwright().start()
        self.addCleanup(self.playwright.stop)
        self.browser = self.playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        self.addCleanup(self.browser.close)

    def start(self, *words, **options):
        process = subprocess.Popen([DIRTYREC, *words], text=True, **options)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def open(self, name, width=1280):
        """A recording in the making, and its page."""
        self.recording = FOLDER / f"{name}.db"
        self.recorder = self.start(
            "record", "-o", str(self.recording), "--vcpus", "2", "--workload", "phases:size=16MiB,rate=20k/s", stderr=subprocess.DEVNULL)
        while not self.recording.exists():
            time.sleep(0.05)
        self.server = self.start("report", str(self.recording), "--follow", "--listen", "127.0.0.1:0", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.url = self.server.stdout.readline().strip()
        page = self.browser.new_context(viewport={"width": width, "height": 900}).new_page()
        page.set_default_timeout(PATIENCE)
        self.complaints, self.requests = [], []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        self.reply = page.goto(self.url)
        page.wait_for_selector("html[data-ready]")
        return page

    def end(self):
        self.recorder.send_signal(signal.SIGINT)
        self.assertEqual(self.recorder.wait(PATIENCE / 1000), 0)

    def grow(self, page, versions=2):
        """Waits until the page has taken over so many newer ones."""
        for _ in range(versions):
            now = page.evaluate("Number(document.getElementById('live').dataset.version)")
            page.wait_for_function("now => Number(document.getElementById('live').dataset.version) > now", arg=now)

    def figures(self, page):
        return page.evaluate("""() => {
            const { data } = dirtyrec;
            return { subtitle: document.querySelector(".subtitle").textContent, cells: data.map.columns * data.map.rows, columns: data.map.columns,
              rates: data.sets.rate.rows.length, svg: document.querySelector("[data-set=rate] svg").outerHTML.length,
              live: document.querySelector("#live .text").textContent }; }""")

    def test_it_grows_and_ends_as_the_page_of_a_file(self):
        page = self.open("grows")
        self.grow(page)
        first = self.figures(page)
        self.grow(page)
        second = self.figures(page)
        for figure in ("cells", "columns", "rates"):
            self.assertGreater(second[figure], first[figure], figure)
        for text in ("subtitle", "live"):
            self.assertNotEqual(second[text], first[text])
        self.assertEqual(page.locator("#live .word").text_content(), "recording")
        # The same marks in the same places as a page that is loaded anew.
        shape = """() => [...document.querySelectorAll("main *")].filter((e) => !e.closest("svg, table[data-rows], .vega, .tools, .layers, tbody, dl, .charts figure"))
            .map((e) => e.tagName + "." + (e.dataset.set ?? e.id ?? "") + e.className).join(" ")"""
        followed = page.evaluate(shape)
        fresh = page.context.new_page()
        fresh.goto(self.url)
        fresh.wait_for_selector("html[data-ready]")
        self.assertEqual(fresh.evaluate(shape).replace(" open", ""), followed.replace(" open", ""))
        fresh.close()
        with page.expect_navigation():
            self.end()
        page.wait_for_selector("html[data-ready]")
        self.assertEqual(page.locator("#live").count(), 0)
        written = FOLDER / "grows.html"
        subprocess.run([DIRTYREC, "report", str(self.recording), "--html", str(written)], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.assertEqual(page.request.get(self.url).body(), written.read_bytes())
        self.assertEqual(self.complaints, [])
        self.assertEqual({url for url in self.requests if not url.startswith((self.url, "data:"))}, set())
        self.server.send_signal(signal.SIGINT)
        self.assertEqual(self.server.wait(PATIENCE / 1000), 0)

    def test_what_the_reader_does_stays(self):
        page = self.open("stays")
        self.grow(page)
        page.locator("#iterations details, [data-set=iterations] details").first.locator("summary").click()
        heads = page.locator("[data-set=hottest] th button")
        heads.nth(0).click()
        sort = "() => [...document.querySelectorAll('[data-set=hottest] th')].map((head) => head.getAttribute('aria-sort'))"
        sorted_by = page.evaluate(sort)
        page.locator("[data-set=hottest] input").fill("0x1")
        page.locator("[data-cell='0']").click()
        self.assertEqual(page.locator("[data-cell='0']").get_attribute("aria-pressed"), "true")
        title = page.locator(".cell-title").text_content()
        page.locator("[data-map=in]").click()
        layer = page.locator("#map .layers button").first
        layer.click()
        page.locator("[data-set=rate]").scroll_into_view_if_needed()
        scroll = page.evaluate("scrollY")
        tools = page.locator(".tools").count()
        buttons = page.locator("button.copy").count()
        self.grow(page, 3)
        self.assertTrue(page.evaluate("document.querySelector('[data-set=iterations] details').open"))
        self.assertEqual(page.evaluate(sort), sorted_by)
        self.assertEqual(page.locator("[data-set=hottest] input").input_value(), "0x1")
        self.assertEqual(page.locator("[data-cell='0']").get_attribute("aria-pressed"), "true")
        self.assertEqual(page.locator("[data-cell][aria-pressed=true]").count(), 1)
        self.assertEqual(page.locator(".cell-title").text_content(), title)
        self.assertEqual(layer.get_attribute("aria-pressed"), "false")
        self.assertLess(abs(page.evaluate("scrollY") - scroll), 200)
        # A table that is filled only now has its tools once.
        self.assertLessEqual(page.locator(".tools").count() - tools, 4)
        self.assertEqual(page.evaluate("[...document.querySelectorAll('article, details')].filter((e) => e.querySelectorAll(':scope > .tools').length > 1).length"), 0)
        self.assertEqual(page.evaluate("[...document.querySelectorAll('pre[data-sql]')].filter((e) => !e.nextElementSibling?.matches('button.copy') || e.nextElementSibling.nextElementSibling?.matches('button.copy')).length"), 0)
        self.assertGreaterEqual(page.locator("button.copy").count(), buttons)
        self.assertEqual(self.complaints, [])
        # Without the server it says so.
        self.server.send_signal(signal.SIGINT)
        self.assertEqual(self.server.wait(PATIENCE / 1000), 0)
        page.wait_for_function("document.querySelector('#live .word').textContent === 'not connected'")
        self.end()


if __name__ == "__main__":
    unittest.main(verbosity=2)
