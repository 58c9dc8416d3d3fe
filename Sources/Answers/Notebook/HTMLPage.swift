import Model
import Platform
import Report

/// How cells and the page around them are written.
protocol PageStyle {
    func cell(_ result: CellResult) -> String
    func chart(_ chart: ChartRequest, number: Int) -> String
    func parameters(_ rows: [[String]]) -> String
    func page(_ document: borrowing MarkdownDocument, title: String, recordings: [String]) -> String
}

/// Rows that a table shows; a chart has more of them.
let shownRows = 200

/// One HTML file that needs nothing else and can send nothing anywhere: the policy in its head allows no request.
struct HTMLPage: PageStyle {
    let vega: String?

    func cell(_ result: CellResult) -> String {
        let source = """
            <details><summary>\(escape(result.name))</summary>\
            <pre><code>\(escape(result.info + "\n\n" + result.sql))</code></pre></details>
            """
        if let error = result.error { return "<section>\(source)\(failure(error))</section>\n" }
        return "<section>\(source)\(table(result))</section>\n"
    }

    func chart(_ chart: ChartRequest, number: Int) -> String {
        guard let specification = chart.specification, let result = chart.result else {
            return "<section>\(failure(chart.error ?? ""))</section>\n"
        }
        guard vega != nil else {
            let sentence = "The chart is shown as its data: Vega was not found. Install it with scripts/vega."
            return "<section><p class=\"note\">\(sentence)</p>\(table(result))</section>\n"
        }
        return """
            <section><div class="chart" id="chart-\(number)"></div>
            <script type="application/json" class="vega-lite" data-for="chart-\(number)">\(specification)</script>
            <noscript>\(table(result))</noscript></section>

            """
    }

    func parameters(_ rows: [[String]]) -> String {
        "<section>\(table(["parameter", "value", "meaning"], rows.map { $0.map(SQLValue.text) }))</section>\n"
    }

    func page(_ document: borrowing MarkdownDocument, title: String, recordings: [String]) -> String {
        let hasCharts = vega != nil && document.codeBlocks.contains { $0.info.first == "vega-lite" }
        // Vega compiles its expressions, hence 'unsafe-eval'; with nothing to connect to, that stays within the page.
        let scripts = hasCharts ? "script-src 'unsafe-inline' 'unsafe-eval'; " : ""
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \(scripts)style-src 'unsafe-inline'; \
            img-src data:; base-uri 'none'; form-action 'none'">
            <meta name="viewport" content="width=device-width">
            <title>\(escape(title))</title>
            <style>\(Self.style)</style>
            </head>
            <body>
            <main>
            \(document.html)</main>
            <footer><ul>\(recordings.map { "<li>\(escape($0))</li>" }.joined())</ul></footer>
            \(hasCharts ? drawing : "")</body>
            </html>

            """
    }

    private var drawing: String {
        // Within a script element only these two could be taken for markup.
        let bundle = (vega ?? "").replacing("</script", with: "<\\/script").replacing("<!--", with: "<\\!--")
        return """
            <script>\(bundle)</script>
            <script>
            const dark = matchMedia("(prefers-color-scheme: dark)");
            function draw() {
              const ink = dark.matches ? "#c6d0dc" : "#445";
              const line = dark.matches ? "#333c48" : "#dde";
              const config = {background: null, title: {color: ink}, style: {"group-title": {fill: ink}},
                axis: {labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line},
                legend: {labelColor: ink, titleColor: ink}, header: {labelColor: ink, titleColor: ink}, view: {stroke: null}};
              for (const element of document.querySelectorAll("script.vega-lite")) {
                const place = document.getElementById(element.dataset.for);
                vegaEmbed(place, JSON.parse(element.textContent), {actions: false, renderer: "svg", config})
                  .then(() => { place.dataset.ready = "true"; })
                  .catch((error) => { place.textContent = "The chart cannot be drawn: " + error.message; });
              }
            }
            dark.addEventListener("change", draw);
            draw();
            </script>

            """
    }

    private func table(_ result: CellResult) -> String {
        let rest = result.count - Int64(min(shownRows, result.rows.count))
        return table(result.columns, Array(result.rows.prefix(shownRows)))
            + (rest > 0 ? "<p class=\"note\">… and \(rest) more rows.</p>" : "")
    }

    private func table(_ columns: [String], _ rows: [[SQLValue]]) -> String {
        let header = columns.map { "<th>\(escape($0))</th>" }.joined()
        let body = rows.map { row in
            "<tr>" + row.map { "<td\(isNumber($0) ? " class=\"n\"" : "")>\(escape(Shown.text($0)))</td>" }.joined()
                + "</tr>"
        }
        return
            "<div class=\"rows\"><table><thead><tr>\(header)</tr></thead><tbody>\(body.joined(separator: "\n"))</tbody></table></div>"
    }

    private func isNumber(_ value: SQLValue) -> Bool {
        switch value {
        case .integer, .real: true
        case .null, .text, .blob: false
        }
    }

    private func failure(_ error: String) -> String { "<p class=\"error\" role=\"alert\">\(escape(error))</p>" }

    private func escape(_ text: String) -> String { HTML.escape(text, keepsLines: true) }

    private static let style = """
        body{font:16px/1.5 system-ui,sans-serif;color:#1d2430;background:#fff;margin:0}
        main,footer{max-width:60rem;margin:auto;padding:1rem}
        footer{color:#667;font-size:.85rem;border-top:1px solid #dde}
        .rows,.chart{overflow-x:auto}.chart{width:100%}h1,h2,h3,p,li{overflow-wrap:break-word}table{border-collapse:collapse;margin:.5rem 0;font-size:.9rem}
        th,td{padding:.2rem .6rem;border-bottom:1px solid #dde;text-align:left}td.n{text-align:right;font-variant-numeric:tabular-nums}
        summary{color:#667;font-size:.85rem;cursor:pointer}pre{background:#f5f6f8;padding:.6rem;overflow-x:auto}
        .error{color:#a11;border-left:4px solid #a11;padding-left:.6rem}.note{color:#667;font-size:.9rem}
        @media(prefers-color-scheme:dark){body{color:#dde;background:#14181f}pre{background:#1d232c}.error{color:#f88}
        footer,summary,.note{color:#9aa7b8}a{color:#8ab8f0}th,td,footer{border-color:#333c48}}
        """
}
