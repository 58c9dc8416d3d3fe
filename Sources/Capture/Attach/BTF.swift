import Platform

/// The kernel's own description of its types (`/sys/kernel/btf`): where a structure has its members, what a function takes.
///
/// A module's description goes on where the kernel's ends: strings are numbered through. Malformed data finds nothing.
struct BTF {
    private struct Part {
        var types: ArraySlice<UInt8> = []
        var strings: ArraySlice<UInt8> = []
    }
    /// The kernel's, then the module's if it has one.
    private let parts: [Part]

    private static let magic: UInt16 = 0xeb9f
    private enum Kind {
        static let structure: UInt32 = 4
        static let function: UInt32 = 12
        static let prototype: UInt32 = 13
    }
    /// What follows a type's head, for each kind: bytes once, and bytes an element.
    private static let tails: [UInt32: (once: Int, each: Int)] = [
        1: (4, 0), 2: (0, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 7: (0, 0), 8: (0, 0), 9: (0, 0),
        10: (0, 0),
        11: (0, 0), 12: (0, 0), 13: (0, 8), 14: (4, 0), 15: (0, 12), 16: (0, 0), 17: (4, 0), 18: (0, 0), 19: (0, 12),
    ]

    /// The description of module `module`, which may also be built into the kernel; nil where the kernel has none.
    init?(module: String, in folder: String = "/sys/kernel/btf") {
        guard let kernel = try? Files.bytes(folder + "/vmlinux") else { return nil }
        self.init(kernel: kernel, module: try? Files.bytes(folder + "/" + module))
    }

    init?(kernel: [UInt8], module: [UInt8]?) {
        guard let base = Self.part(kernel[...]) else { return nil }
        guard let module else {
            parts = [base]
            return
        }
        guard let own = Self.part(module[...]) else { return nil }
        parts = [base, own]
    }

    private static func part(_ data: ArraySlice<UInt8>) -> Part? {
        func word(_ place: Int) -> Int? { number(data, place).map { Int($0) } }
        guard data.count >= 24, UInt16(data[0]) | UInt16(data[1]) << 8 == magic, let head = word(4),
            let types = word(8),
            let typesSize = word(12), let strings = word(16), let stringsSize = word(20),
            head + types + typesSize <= data.count, head + strings + stringsSize <= data.count
        else { return nil }
        return Part(
            types: data[(head + types)..<(head + types + typesSize)],
            strings: data[(head + strings)..<(head + strings + stringsSize)])
    }

    private static func number(_ data: ArraySlice<UInt8>, _ place: Int) -> UInt32? {
        guard place >= data.startIndex, place + 4 <= data.endIndex else { return nil }
        return UInt32(data[place]) | UInt32(data[place + 1]) << 8 | UInt32(data[place + 2]) << 16
            | UInt32(data[place + 3]) << 24
    }

    /// Whether the string at `offset`, as part number `part` counts, is `text`.
    private func isString(_ offset: UInt32, of part: Int, _ text: [UInt8]) -> Bool {
        var (strings, place) = (parts[0].strings, Int(offset))
        if part > 0, place >= strings.count { (strings, place) = (parts[part].strings, place - strings.count) }
        let start = strings.startIndex + place
        guard start + text.count < strings.endIndex, strings[start + text.count] == 0 else { return false }
        return strings[start..<start + text.count].elementsEqual(text)
    }

    /// Calls `body` with each type's head and the place of its elements, the module's first, until it answers.
    private func first<Answer>(
        _ kind: UInt32,
        _ body: (_ part: Int, _ name: UInt32, _ info: UInt32, _ size: UInt32, _ elements: Int) -> Answer?
    ) -> Answer? {
        for part in parts.indices.reversed() {
            let types = parts[part].types
            var place = types.startIndex
            while let name = Self.number(types, place), let info = Self.number(types, place + 4),
                let size = Self.number(types, place + 8), let tail = Self.tails[info >> 24 & 31]
            {
                if info >> 24 & 31 == kind, let answer = body(part, name, info, size, place + 12) { return answer }
                place += 12 + tail.once + tail.each * Int(info & 0xffff)
            }
        }
        return nil
    }

    /// Where `structure` has its members, in bytes; nil when one of them is not there, or does not begin at a byte.
    func offsets(of structure: String, _ members: [String]) -> [String: Int]? {
        let name = Array(structure.utf8)
        let wanted = members.map { (name: $0, bytes: Array($0.utf8)) }
        return first(Kind.structure) { part, text, info, _, elements in
            guard isString(text, of: part, name) else { return nil }
            var found: [String: Int] = [:]
            for element in 0..<Int(info & 0xffff) {
                guard let text = Self.number(parts[part].types, elements + element * 12),
                    let place = Self.number(parts[part].types, elements + element * 12 + 8)
                else { return nil }
                // With the flag, the upper eight bits are the size of a bit field.
                let bits = info >> 31 == 1 ? place & 0xffffff : place
                guard bits % 8 == 0, let member = wanted.first(where: { isString(text, of: part, $0.bytes) }) else {
                    continue
                }
                found[member.name] = Int(bits / 8)
            }
            return found.count == members.count ? found : nil
        }
    }

    /// Whether `function` takes parameters of these names; nil when it is not described.
    func takes(_ function: String, _ parameters: [String]) -> Bool? {
        let name = Array(function.utf8)
        let found: (part: Int, prototype: UInt32)? = first(Kind.function) { part, text, _, prototype, _ in
            isString(text, of: part, name) ? (part, prototype) : nil
        }
        guard let found else { return nil }
        // Types are numbered through, from 1.
        var number: UInt32 = 0
        for part in parts.indices {
            let types = parts[part].types
            var place = types.startIndex
            while let info = Self.number(types, place + 4), let tail = Self.tails[info >> 24 & 31] {
                number += 1
                if number == found.prototype {
                    guard info >> 24 & 31 == Kind.prototype, Int(info & 0xffff) == parameters.count else {
                        return false
                    }
                    return parameters.indices.allSatisfy { index in
                        Self.number(types, place + 12 + index * 8).map {
                            isString($0, of: part, Array(parameters[index].utf8))
                        } ?? false
                    }
                }
                place += 12 + tail.once + tail.each * Int(info & 0xffff)
            }
        }
        return false
    }
}
