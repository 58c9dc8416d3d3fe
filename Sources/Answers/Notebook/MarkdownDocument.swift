import CCMark

/// A parsed Markdown text whose code blocks can be exchanged for output. Raw HTML in the text never survives: it becomes
/// text.
@safe struct MarkdownDocument: ~Copyable {
    /// A fenced code block.
    struct CodeBlock {
        let info: [String]
        let text: String
    }

    private let root: OpaquePointer
    private let parser: OpaquePointer
    private let blockNodes: [OpaquePointer]
    private static let options = CMARK_OPT_VALIDATE_UTF8

    /// Its fenced code blocks in order.
    let codeBlocks: [CodeBlock]

    init?(_ text: String) {
        cmark_gfm_core_extensions_ensure_registered()
        guard let parser = unsafe cmark_parser_new(Self.options) else { return nil }
        for name in ["table", "strikethrough"] {
            if let found = unsafe cmark_find_syntax_extension(name) {
                unsafe cmark_parser_attach_syntax_extension(parser, found)
            }
        }
        unsafe cmark_parser_feed(parser, text, text.utf8.count)
        guard let root = unsafe cmark_parser_finish(parser) else {
            unsafe cmark_parser_free(parser)
            return nil
        }
        unsafe cmark_consolidate_text_nodes(root)
        unsafe (self.root, self.parser) = (root, parser)
        unsafe Self.nodes(root, CMARK_NODE_HTML_BLOCK).forEach { unsafe Self.makeText($0, isBlock: true) }
        unsafe Self.nodes(root, CMARK_NODE_HTML_INLINE).forEach { unsafe Self.makeText($0, isBlock: false) }
        unsafe blockNodes = Self.nodes(root, CMARK_NODE_CODE_BLOCK)
        unsafe codeBlocks = blockNodes.map { node in
            let info = unsafe Self.string(cmark_node_get_fence_info(node))
            return CodeBlock(
                info: info.split(whereSeparator: \.isWhitespace).map(String.init),
                text: unsafe Self.string(cmark_node_get_literal(node)))
        }
    }

    deinit {
        unsafe cmark_node_free(root)
        unsafe cmark_parser_free(parser)
    }

    /// Puts `output`, in the language of the rendering, in the place of code block `number`; it is not escaped.
    func replaceCodeBlock(_ number: Int, with output: String) {
        guard let block = unsafe cmark_node_new(CMARK_NODE_CUSTOM_BLOCK) else { return }
        unsafe cmark_node_set_on_enter(block, output)
        if unsafe cmark_node_replace(blockNodes[number], block) != 0 { unsafe cmark_node_free(blockNodes[number]) }
    }

    /// Passes all text, also that in code spans, through `transform`. What it returns is text, never markup.
    func transformText(_ transform: (String) -> String) {
        for type in [CMARK_NODE_TEXT, CMARK_NODE_CODE] {
            unsafe Self.nodes(root, type).forEach { node in
                let text = unsafe Self.string(cmark_node_get_literal(node))
                let changed = transform(text)
                if changed != text { unsafe cmark_node_set_literal(node, changed) }
            }
        }
    }

    /// The text of the first heading.
    var title: String? {
        guard let heading = unsafe Self.nodes(root, CMARK_NODE_HEADING).first else { return nil }
        let text = unsafe Self.nodes(heading, CMARK_NODE_TEXT).map { unsafe Self.string(cmark_node_get_literal($0)) }
        return text.joined()
    }

    /// As HTML, without links to scripts.
    var html: String {
        let extensions = unsafe cmark_parser_get_syntax_extensions(parser)
        return unsafe Self.taking(cmark_render_html(root, Self.options, extensions))
    }

    var markdown: String { unsafe Self.taking(cmark_render_commonmark(root, Self.options, 0)) }

    private static func nodes(_ root: OpaquePointer, _ type: cmark_node_type) -> [OpaquePointer] {
        guard let iterator = unsafe cmark_iter_new(root) else { return unsafe [] }
        defer { unsafe cmark_iter_free(iterator) }
        var nodes: [OpaquePointer] = unsafe []
        while true {
            let event = unsafe cmark_iter_next(iterator)
            if event == CMARK_EVENT_DONE { break }
            if event == CMARK_EVENT_ENTER, let node = unsafe cmark_iter_get_node(iterator),
                unsafe cmark_node_get_type(node) == type
            {
                unsafe nodes.append(node)
            }
        }
        return unsafe nodes
    }

    private static func makeText(_ node: OpaquePointer, isBlock: Bool) {
        guard let text = unsafe cmark_node_new(CMARK_NODE_TEXT) else { return }
        let literal = unsafe string(cmark_node_get_literal(node))
        unsafe cmark_node_set_literal(text, literal.hasSuffix("\n") ? String(literal.dropLast()) : literal)
        var replacement = unsafe text
        if isBlock, let paragraph = unsafe cmark_node_new(CMARK_NODE_PARAGRAPH) {
            unsafe cmark_node_append_child(paragraph, text)
            unsafe replacement = paragraph
        }
        if unsafe cmark_node_replace(node, replacement) != 0 { unsafe cmark_node_free(node) }
    }

    private static func string(_ text: UnsafePointer<CChar>?) -> String {
        unsafe text.map { unsafe String(cString: $0) } ?? ""
    }

    private static func taking(_ text: UnsafeMutablePointer<CChar>?) -> String {
        guard let text = unsafe text else { return "" }
        defer { unsafe cmark_get_default_mem_allocator().pointee.free(text) }
        return unsafe String(cString: text)
    }
}
