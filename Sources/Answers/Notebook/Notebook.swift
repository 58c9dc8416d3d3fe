import Model
import Report
import Store

/// A Markdown text with questions in it: fenced blocks of SQL, charts over their results, and values in sentences.
///
/// | fenced block                            | is                                                                    |
/// |-----------------------------------------|-----------------------------------------------------------------------|
/// | `sql NAME`                              | one SELECT; later cells use its result as the table `NAME`            |
/// | `sql NAME query=AREA/NAME PARAMETER=…`  | a named query                                                         |
/// | `vega-lite NAME`                        | a Vega-Lite chart over the cell `NAME`                                |
/// | `parameters`                            | lines of `name type = default. Meaning.`, as in `schemas/queries`     |
///
/// `${NAME.COLUMN}` in a sentence is a value of the first row, `${PARAMETER}` a parameter.
package struct Notebook: Sendable {
    /// Something of the notebook itself is wrong, so that no cell was run.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// What is told about each cell while the notebook runs.
    package struct Progress: Sendable {
        package let cell: String
        package let rows: Int64
        package let duration: Duration
        package let error: String?
    }

    /// How the outcome is written.
    package enum Format: Sendable {
        /// One HTML file; `vega` is the bundle that draws charts, nil when there is none.
        case html(vega: String?)
        case markdown
    }

    package struct Output: Sendable {
        package let text: String
        /// How many cells failed; each says so in its place.
        package let failures: Int
    }

    private let text: String

    package init(_ text: String) { self.text = text }

    /// Runs every cell in order and renders the page.
    ///
    /// - Parameters:
    ///   - settings: Values of parameters, as text.
    ///   - timeout: The longest time for each cell.
    ///   - recordings: What is said about the recordings at the end of the page.
    /// - Throws: ``Failure``; a ``RecordingError`` only when a cell was interrupted.
    package func run(
        _ session: QuerySession, settings: [String: String], timeout: Duration, recordings: [String], as format: Format,
        progress: @escaping (Progress) -> Void
    ) throws -> Output {
        guard let document = MarkdownDocument(text) else { throw Failure(description: "There is no memory left.") }
        let parameters = try NotebookParameters(document.codeBlocks, settings)
        var runner = CellRunner(session: session, parameters: parameters.values, timeout: timeout, progress: progress)
        let page: any PageStyle =
            switch format {
            case .html(let vega): HTMLPage(vega: vega)
            case .markdown: MarkdownPage()
            }
        var outputs: [Int: String] = [:]
        for (number, block) in document.codeBlocks.enumerated() {
            switch block.info.first {
            case "sql":
                outputs[number] = page.cell(try runner.run(block))
            case "vega-lite":
                outputs[number] = page.chart(runner.chart(block), number: number)
            case "parameters":
                outputs[number] = page.parameters(parameters.table)
            default: break
            }
        }
        let title = document.title ?? "Notebook"
        for (number, output) in outputs { document.replaceCodeBlock(number, with: output) }
        document.transformText { runner.substitute($0, parameters: parameters.texts) }
        return Output(text: page.page(document, title: title, recordings: recordings), failures: runner.failures)
    }
}

/// The parameters that a notebook declares, with their values.
struct NotebookParameters {
    /// By name, for SQL.
    private(set) var values: [String: SQLValue] = [:]
    /// By name, as the user wrote them.
    private(set) var texts: [String: String] = [:]
    /// Name, value and meaning.
    private(set) var table: [[String]] = []

    init(_ blocks: [MarkdownDocument.CodeBlock], _ settings: [String: String]) throws {
        let declared = blocks.filter { $0.info.first == "parameters" }.flatMap { NamedQuery.parameters(in: $0.text) }
        for name in settings.keys.sorted() where !declared.contains(where: { $0.name == name }) {
            let known = declared.map(\.name).joined(separator: ", ")
            throw Notebook.Failure(
                description: "The notebook has no parameter '\(name)'; it has \(known.isEmpty ? "none" : known).")
        }
        for parameter in declared {
            let text = settings[parameter.name] ?? parameter.defaultText
            do { values[parameter.name] = try parameter.value(text) } catch let error as NamedQuery.Failure {
                throw Notebook.Failure(description: error.description)
            }
            texts[parameter.name] = text
            table.append([parameter.name, text, parameter.description])
        }
    }
}
