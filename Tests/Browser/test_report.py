"""HTML reports in a real browser: scripts/test-browser makes the pages and runs this file with their folder."""

import pathlib
import sqlite3
import sys
import unittest

from playwright.sync_api import sync_playwright

FOLDER = pathlib.Path(sys.argv.pop(1)).resolve()
SECTIONS = ["main", "map", "working-set", "convergence", "vcpus", "costs", "tables", "fidelity"]
CHARTS = 11


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.playwright = sync_playwright().start()
        cls.browser = cls.playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.playwright.stop()

    def open(self, name="page", width=1280, height=900, ready="html[data-ready]", **options):
        """A page with nothing but its file; complaints and requests are kept for the end of the test."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, offline=True, **options)
        self.addCleanup(context.close)
        page = context.new_page()
        # A busy machine may take its time; nothing here measures with a deadline.
        page.set_default_timeout(300_000)
        self.complaints, self.requests = [], []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto((FOLDER / f"{name}.html").as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_selector(ready)
        return page

    def check_legible(self, page):
        """Nothing sticks out of its card, no words break to a letter a line, no picture's words are too small to read."""
        wrong = page.evaluate("""() => {
            const wrong = [], shown = (element) => element.getClientRects().length > 0;
            for (const card of document.querySelectorAll(".card, .map, .verdict, section"))
              if (shown(card) && card.scrollWidth > card.clientWidth + 1) wrong.push("overflows: " + (card.dataset.set || card.id || card.className));
            for (const cell of document.querySelectorAll("td.t, th.t"))
              if (shown(cell) && cell.textContent.length > 3 && cell.clientWidth < 40) wrong.push("narrow: " + cell.textContent);
            for (const text of document.querySelectorAll("svg text")) {
              if (!shown(text) || !text.textContent.trim()) continue;
              const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b);
              if (size < 8.5 || size > 20) wrong.push(`${size.toFixed(1)} px: ${text.textContent}`);
            }
            // Labels of an axis that lie over each other.
            for (const axis of document.querySelectorAll("svg .role-axis-label")) {
              const boxes = [...axis.children].filter((label) => label.getAttribute("opacity") !== "0").map((label) => label.getBoundingClientRect());
              if (boxes.slice(1).some((box, place) => box.top < boxes[place].bottom && box.bottom > boxes[place].top && box.left < boxes[place].right - 1 && box.right > boxes[place].left))
                wrong.push("labels overlap: " + axis.textContent);
            }
            return wrong; }""")
        self.assertEqual(wrong, [])

    def check_quiet(self):
        self.assertEqual(self.complaints, [])
        self.assertEqual([url for url in self.requests if not url.startswith("data:")], self.requests[:1])
        self.assertTrue(self.requests[0].startswith("file:"))


class ReportTest(PageTest):
    def draw_all(self, page):
        for chart in page.query_selector_all("[data-chart]"):
            chart.scroll_into_view_if_needed()
        page.wait_for_function(f"document.querySelectorAll('.vega[data-ready]').length === {CHARTS}")

    def canvas(self, page):
        page.locator("#map-canvas").scroll_into_view_if_needed()
        return page.locator("#map-canvas").bounding_box()

    def readout(self, page):
        return page.locator("#map-readout").inner_text()

    def brush(self, page, left=0.3, right=0.5, top=0.2, bottom=0.6):
        box = self.canvas(page)
        page.mouse.move(box["x"] + box["width"] * left, box["y"] + box["height"] * top)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * right, box["y"] + box["height"] * bottom, steps=4)
        page.mouse.up()

    def test_every_section_and_chart_is_drawn(self):
        page = self.open()
        for section in SECTIONS:
            self.assertTrue(page.locator(f"#{section}").is_visible(), section)
            self.assertGreater(page.locator(f"#{section}").bounding_box()["height"], 60, section)
        self.assertEqual(page.locator(".verdict").count(), 5)
        self.draw_all(page)
        for chart in page.query_selector_all(".vega svg"):
            self.assertGreater(chart.bounding_box()["height"], 50)
        page.screenshot(path=FOLDER / "desktop.png", full_page=True)
        self.check_quiet()

    def test_interactive_within_a_second(self):
        # A pair at a time: a slower or busier machine is given as much more time as it takes for a fixed piece of work, beside a
        # machine on which that takes 150 ms. What else runs may hit one half of a pair, so that one good pair is enough.
        page = self.browser.new_page()
        self.addCleanup(page.close)
        work = """() => { const begin = performance.now(), numbers = Float64Array.from({length: 1e6}, (_, i) => i * 7919 % 1000003);
            numbers.sort(); return performance.now() - begin; }"""
        ratios = []
        while len(ratios) < 20 and min(ratios, default=2) > 1:
            before = page.evaluate(work)
            time = int(self.open().evaluate("document.documentElement.dataset.ready"))
            ratios.append(time / (1000 * max(1, before / 150, page.evaluate(work) / 150)))
        self.assertLessEqual(min(ratios), 1, ratios)
        self.assertLessEqual((FOLDER / "page.html").stat().st_size, 2_500_000)

    def test_map_is_painted_and_read(self):
        page = self.open()
        # It is painted in a frame after data-ready; without its colours this times out.
        page.wait_for_function(
            """() => { const c = document.getElementById('map-canvas');
            const d = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);
            return new Set(d).size > 20; }"""
        )
        box = self.canvas(page)
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
        self.assertRegex(self.readout(page), r"GFN 0x[0-9a-f]+.*iteration \d+.*\d+ entr(y|ies)")
        self.check_quiet()

    def test_map_zooms_and_pans(self):
        page = self.open()
        box = self.canvas(page)
        at = (box["x"] + box["width"] * 0.9, box["y"] + 40)
        page.mouse.move(*at)
        before = self.readout(page)
        for _ in range(3):
            page.click("[data-map=in]")
        page.mouse.move(*at)
        zoomed = self.readout(page)
        self.assertNotEqual(zoomed, before)
        page.click("[data-map=pan]")
        page.mouse.move(*at)
        page.mouse.down()
        page.mouse.move(at[0] - 300, at[1] + 200, steps=4)
        page.mouse.up()
        page.mouse.move(at[0] + 1, at[1])
        self.assertNotEqual(self.readout(page), zoomed)
        page.keyboard.down("Control")
        page.mouse.wheel(0, 200)
        page.keyboard.up("Control")
        page.click("[data-map=reset]")
        page.mouse.move(*at)
        self.assertEqual(self.readout(page), before)
        self.check_quiet()

    def test_map_answers_the_keyboard(self):
        page = self.open()
        page.focus("#map-canvas")
        for _ in range(5):
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowDown")
        self.assertIn("iteration 6", self.readout(page))
        page.keyboard.press("Enter")
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        self.assertIn("Selected", self.readout(page))
        page.keyboard.press("Escape")
        self.assertIn("Nothing", self.readout(page))
        page.keyboard.press("+")
        page.keyboard.press("Shift+ArrowRight")
        self.check_quiet()

    def test_selection_is_what_the_file_says_and_narrows_the_rest(self):
        page = self.open()
        self.draw_all(page)
        rows = page.locator("#tables [data-set=iterations] tbody tr")
        marks = "document.querySelectorAll('[data-vega=stalls] .mark-rect path').length"
        before, drawn = rows.count(), page.evaluate(marks)
        self.brush(page)
        chosen = page.evaluate("dirtyrec.selection")
        self.assertEqual(rows.count(), chosen["lastTick"] - chosen["firstTick"] + 1)
        self.assertLess(rows.count(), before)
        page.wait_for_function(f"{marks} < {drawn}")
        with sqlite3.connect(FOLDER / "page.db") as file:
            (entries,) = file.execute(
                "SELECT count(*) FROM dirty WHERE iteration BETWEEN ? AND ? AND gfn BETWEEN ? AND ?",
                (chosen["firstTick"], chosen["lastTick"], chosen["low"], chosen["high"]),
            ).fetchone()
        self.assertIn(f"{entries:,} entries", self.readout(page))
        page.click("[data-map=reset]")
        self.assertEqual(rows.count(), before)
        self.check_quiet()

    def test_vcpus_can_be_filtered(self):
        page = self.open()
        self.brush(page, 0.1, 0.9, 0.1, 0.9)
        before = self.readout(page)
        page.locator(".layers button").first.click()
        self.assertEqual(page.locator(".layers button").first.get_attribute("aria-pressed"), "false")
        self.assertNotEqual(self.readout(page), before)
        self.check_quiet()

    def test_charts_tell_their_figures(self):
        page = self.open()
        self.draw_all(page)
        page.locator("[data-vega=ring_what_if]").scroll_into_view_if_needed()
        page.locator("[data-vega=ring_what_if] .mark-rect path").first.hover()
        page.wait_for_selector("#tip:not([hidden])")
        self.assertIn("ring entries: 256", page.locator("#tip").inner_text())
        self.check_quiet()

    def test_tables_sort_filter_and_copy(self):
        page = self.open(permissions=["clipboard-read", "clipboard-write"])
        card = page.locator("#tables [data-set=iterations]")
        column = card.locator("thead th").nth(4)
        column.locator("button").click()
        self.assertEqual(column.get_attribute("aria-sort"), "descending")
        values = [int(text.replace(",", "")) for text in card.locator("tbody td:nth-child(5)").all_inner_texts()]
        self.assertEqual(values, sorted(values, reverse=True))
        column.locator("button").click()
        self.assertEqual(column.get_attribute("aria-sort"), "ascending")
        card.locator("input").fill("4.9")
        self.assertLess(card.locator("tbody tr").count(), 50)
        card.locator("input").fill("")
        card.locator(".tools button").click()
        # The page does not wait for its copy to be there.
        lines = page.evaluate(
            """async () => { let text = '';
            for (let n = 0; n < 600 && !text; n += 1) {
              text = await navigator.clipboard.readText();
              if (!text) await new Promise((done) => setTimeout(done, 50));
            }
            return text; }"""
        ).splitlines()
        self.assertTrue(lines[0].startswith("first_tick,ticks,start_s"))
        self.assertEqual(len(lines), 51)
        self.check_quiet()

    def test_a_cell_shows_its_rounds_and_their_statement(self):
        page = self.open()
        data = page.evaluate("dirtyrec.data")
        number, cell = next((n, c) for n, c in enumerate(data["cells"]) if any(r[4] and r[4][1] for r in c["rounds"]))
        page.click(f"[data-cell='{number}']")
        self.assertEqual(page.locator("#rounds tbody tr").count(), len(cell["rounds"]))
        self.assertIn(cell["title"], page.locator("#rounds h3").inner_text())
        statement = page.locator("#rounds pre").text_content()
        known = [[n + 1, *r[4]] for n, r in enumerate(cell["rounds"]) if r[4] and r[4][1] is not None]
        with sqlite3.connect(FOLDER / "page.db") as file:
            self.assertEqual([list(row) for row in file.execute(statement)], known)
        self.check_quiet()

    def test_statements_on_the_page_run_as_printed(self):
        page = self.open("hostile")
        data = page.evaluate("dirtyrec.data")
        with sqlite3.connect(FOLDER / "hostile.db") as file:
            for pre in page.query_selector_all("pre[data-sql]"):
                name = pre.get_attribute("data-sql")
                if name in data["sets"]:
                    self.assertEqual(len(file.execute(pre.text_content()).fetchall()), len(data["sets"][name]["rows"]), name)
        self.check_quiet()

    def test_hostile_names_are_text(self):
        page = self.open("hostile")
        self.draw_all(page)
        self.assertEqual(page.locator("img[src=x]").count(), 0)
        self.assertIn("onerror", page.locator("h1").inner_text())
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true; }")
        shown = page.locator("main").inner_text() + page.locator("main svg").first.text_content()
        self.assertEqual([c for c in shown if ord(c) in (*range(0x7f, 0xa0), *range(0x202a, 0x202f), *range(0x2066, 0x206a))], [])
        self.assertNotEqual(page.title(), "broken")
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 1280)
        self.check_quiet()

    def test_without_vega_everything_is_there(self):
        page = self.open("plain")
        self.assertEqual(page.locator("[data-chart] svg").count(), CHARTS)
        self.assertIn("scripts/vega", page.locator("footer").inner_text())
        self.brush(page)
        page.screenshot(path=FOLDER / "plain.png", full_page=True)
        self.check_quiet()

    def test_without_scripts_there_is_a_picture(self):
        page = self.open(java_script_enabled=False)
        picture = page.locator("noscript img, figure.map img:not(.print)")
        self.assertTrue(picture.first.is_visible())
        self.assertGreater(page.locator("#tables tbody tr").count(), 50)
        page.screenshot(path=FOLDER / "noscript.png", full_page=True)

    def test_dark(self):
        page = self.open(color_scheme="dark")
        self.draw_all(page)
        red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        self.assertLess(red + green + blue, 150)
        page.screenshot(path=FOLDER / "dark.png", full_page=True)
        page.emulate_media(color_scheme="light")
        self.draw_all(page)
        self.check_quiet()

    def test_phone(self):
        page = self.open(width=400, height=850, has_touch=True)
        self.draw_all(page)
        self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), 400)
        self.check_legible(page)
        page.screenshot(path=FOLDER / "phone.png", full_page=True)
        self.check_quiet()

    def test_every_width_is_legible(self):
        for name in ("page", "plain", "hostile"):
            for width in (400, 800, 1280):
                with self.subTest(page=name, width=width):
                    page = self.open(name, width=width)
                    if name != "plain":
                        self.draw_all(page)
                    self.check_legible(page)

    def test_an_open_bracket_keeps_its_sign(self):
        page = self.open()
        for button in page.locator("[data-cell]").all():
            cell = page.evaluate("dirtyrec.data.cells")[int(button.get_attribute("data-cell"))]
            detail = button.locator("span").inner_text()
            if "≥" in cell["sentence"].split(" in all")[0] and detail:
                self.assertTrue(detail.startswith("≥"), detail)

    def test_contrast_is_enough_to_read(self):
        for scheme in ("light", "dark"):
            page = self.open(color_scheme=scheme)
            for selector in (".note", ".sentence", "nav a", "td.n", "th", ".verdict h2", "summary"):
                ratio = page.evaluate(
                    """(selector) => {
                    const channels = (color) => color.match(/[\\d.]+/g).map(Number);
                    const light = (color) => { const [r, g, b] = channels(color).map((v) => { v /= 255;
                        return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
                    let element = document.querySelector(selector), front = light(getComputedStyle(element).color);
                    while ((channels(getComputedStyle(element).backgroundColor)[3] ?? 1) === 0) element = element.parentElement;
                    const back = light(getComputedStyle(element).backgroundColor);
                    return (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05); }""",
                    selector,
                )
                self.assertGreaterEqual(ratio, 4.5, f"{scheme} {selector}")

    def test_prints(self):
        page = self.open()
        self.draw_all(page)
        page.pdf(path=FOLDER / "print.pdf", format="A4")
        data = (FOLDER / "print.pdf").read_bytes()
        self.assertTrue(data.startswith(b"%PDF"))
        self.assertGreater(len(data), 50_000)
        self.check_quiet()


class DiffTest(PageTest):
    """The page of `dirtyrec diff --html`: pictures and tables, no map to select in and no Vega."""

    SECTIONS = ["main", "maps", "charts", "figures", "provenance"]

    def figures(self, page, column):
        return page.locator(f"#figures [data-rows=figures] tbody td:nth-child({column})").all_inner_texts()

    def check_sections(self, page):
        for section in self.SECTIONS:
            self.assertTrue(page.locator(f"#{section}").is_visible(), section)
            self.assertGreater(page.locator(f"#{section}").bounding_box()["height"], 60, section)
        self.assertEqual(page.locator("#maps img").count(), 2)
        for picture in page.locator("#maps img").all():
            self.assertGreater(picture.evaluate("picture => picture.naturalWidth"), 1)
            self.assertGreater(picture.bounding_box()["height"], 100)
        self.assertEqual(page.locator("#charts [data-chart] svg").count(), 4)
        for chart in page.locator("#charts [data-chart] svg").all():
            self.assertGreater(chart.bounding_box()["height"], 50)
            self.assertGreaterEqual(chart.locator("path, polyline").count(), 2, "one curve of either recording")

    def test_every_section_in_light_dark_and_on_a_phone(self):
        for name, options in (
            ("light", {"color_scheme": "light"}),
            ("dark", {"color_scheme": "dark"}),
            ("phone", {"width": 400, "height": 850, "has_touch": True}),
        ):
            with self.subTest(name):
                page = self.open("diff", **options)
                self.check_sections(page)
                self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), options.get("width", 1280))
                light = sum(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"))
                self.assertTrue(light < 150 if name == "dark" else light > 600, light)
                page.screenshot(path=FOLDER / f"diff-{name}.png", full_page=True)
                self.check_quiet()

    def test_figures_sort_and_filter(self):
        page = self.open("diff")
        names = self.figures(page, 1)
        self.assertGreater(len(names), 64, "more than the rows of other tables without scripts")
        change = page.locator("#figures [data-rows=figures] thead th").nth(4)
        self.assertIn("change (%)", change.inner_text().lower())
        for order in ("descending", "ascending"):
            change.locator("button").click()
            self.assertEqual(change.get_attribute("aria-sort"), order)
            shown = [float(text.replace(",", "").replace("\u2212", "-")) for text in self.figures(page, 5) if text not in ("", "-", "–")]
            self.assertGreater(len(set(shown)), 5)
            self.assertEqual(shown, sorted(shown, reverse=order == "descending"))
        filter = page.locator("#figures [data-set=figures] input")
        filter.fill("wws")
        self.assertEqual(sorted(self.figures(page, 1)), sorted(name for name in names if "wws" in name))
        filter.fill("")
        self.assertEqual(sorted(self.figures(page, 1)), sorted(names))
        self.check_quiet()

    def test_gates_are_told(self):
        page = self.open("diff")
        self.assertEqual(page.locator("h1").inner_text(), "before.db → after.db")
        outcomes = page.locator("#figures [data-rows=gates] tbody td:nth-child(2)").all_inner_texts()
        self.assertEqual(outcomes, ["passed", "failed"])
        self.assertIn("1 of 2 fail", page.locator(".verdict.bad").inner_text())
        self.check_quiet()

    def test_without_scripts_everything_is_shown(self):
        with_scripts = self.figures(self.open("diff"), 1)
        page = self.open("diff", java_script_enabled=False)
        self.check_sections(page)
        self.assertEqual(self.figures(page, 1), with_scripts)
        self.assertTrue(page.locator("#figures [data-rows=gates] tbody tr").first.is_visible())
        page.screenshot(path=FOLDER / "diff-noscript.png", full_page=True)
        self.check_quiet()


class NotebookTest(PageTest):
    """The page of `dirtyrec notebook`, with a chart."""

    def test_fits_every_width_in_light_and_dark(self):
        for width in (400, 800, 1280):
            for scheme in ("light", "dark"):
                with self.subTest(width=width, scheme=scheme):
                    page = self.open("notebook", width=width, color_scheme=scheme, ready=".chart[data-ready]")
                    self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), width)
                    self.check_legible(page)
                    light = page.locator(".chart text").first.evaluate("t => getComputedStyle(t).fill.match(/\\d+/g).map(Number)[0]")
                    self.assertEqual(light > 128, scheme == "dark", "the chart's words are read on its page")
                    page.screenshot(path=FOLDER / f"notebook-{width}-{scheme}.png", full_page=True)
                    self.check_quiet()


class FleetTest(PageTest):
    """The page of `dirtyrec fleet --html`: tables without any script."""

    def test_is_whole_in_light_dark_and_on_a_phone(self):
        for name, options in (
            ("light", {"color_scheme": "light"}),
            ("dark", {"color_scheme": "dark"}),
            ("phone", {"width": 400, "height": 850, "has_touch": True}),
        ):
            with self.subTest(name):
                page = self.open("fleet", java_script_enabled=False, **options)
                self.assertEqual(page.locator("#overview tbody tr").count(), 40)
                self.assertEqual(page.evaluate("document.documentElement.scrollWidth"), options.get("width", 1280))
                # Words stay in one line: a row is as high as its guest's name.
                heights = [row.bounding_box()["height"] for row in page.locator("#overview tbody tr").all()[:3]]
                self.assertLess(max(heights), 80)
                page.screenshot(path=FOLDER / f"fleet-{name}.png", full_page=True)
                self.check_quiet()

    def test_an_outlier_leads_to_its_row_and_the_row_to_its_report(self):
        page = self.open("fleet", java_script_enabled=False)
        page.locator("#outliers tbody a").click()
        id = page.url.split("#")[1]
        row = page.locator(f"[id='{id}']")
        self.assertTrue(row.evaluate("row => { const box = row.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight; }"))
        self.assertEqual(row.locator("a").get_attribute("href"), f"recording={id}/report.html")
        self.check_quiet()

    def test_hostile_names_are_text(self):
        page = self.open("fleet", java_script_enabled=False)
        self.assertEqual(page.locator("main img, main script, main b").count(), 0)
        self.assertIn("<", page.locator("#overview tbody tr:nth-child(4) td:nth-child(3)").inner_text())
        self.check_quiet()


if __name__ == "__main__":
    unittest.main(verbosity=1)
