import Foundation
import Mustache
import Platform

/// What every page has: one file with its style, its scripts and a policy that allows nothing else.
enum PageTemplate {
    /// The page.
    ///
    /// - Parameters:
    ///   - template: The Mustache template of the body.
    ///   - scripts: In the order in which they run.
    ///   - asksServer: Whether they may ask who served the page, and nobody else.
    static func render(
        _ template: [UInt8], _ context: [String: Any], scripts: [String], asksServer: Bool = false
    ) throws -> String {
        let style = text(PackageResources.report_css)
        let scripts = scripts.map(harmless)
        var context = context.mapValues(withoutControls)
        context["csp"] = policy(style: style, scripts: scripts) + (asksServer ? "; connect-src 'self'" : "")
        context["style"] = style
        context["scripts"] = scripts
        let library = MustacheLibrary(templates: [
            "page": try MustacheTemplate(string: text(template)),
            "chart": try MustacheTemplate(string: text(PackageResources.chart_mustache)),
            "figures": try MustacheTemplate(string: text(PackageResources.figures_mustache)),
            "rows": try MustacheTemplate(string: text(PackageResources.rows_mustache)),
        ])
        return library.render(context, withTemplate: "page") ?? ""
    }

    /// What a recording says never reaches a page as a control character, wherever it stands.
    private static func withoutControls(_ value: Any) -> Any {
        switch value {
        case let text as String: Sanitizer.lines(text)
        case let list as [Any]: list.map(withoutControls)
        case let object as [String: Any]: object.mapValues(withoutControls)
        default: value
        }
    }

    static func text(_ resource: [UInt8]) -> String { String(decoding: resource, as: UTF8.self) }

    /// Only what is in the file: no request, no other script, no other style.
    private static func policy(style: String, scripts: [String]) -> String {
        func hash(_ text: String) -> String { "'sha256-\(Data(SHA256.digest(text.utf8)).base64EncodedString())'" }
        let allowed = scripts.isEmpty ? "'none'" : scripts.map(hash).joined(separator: " ")
        return "default-src 'none'; script-src \(allowed); "
            + "style-src \(hash(style)); img-src data:; base-uri 'none'; form-action 'none'"
    }

    /// A script whose strings cannot end its element.
    private static func harmless(_ script: String) -> String {
        script.replacing("</script", with: "<\\/script").replacing("<!--", with: "<\\!--")
    }
}
