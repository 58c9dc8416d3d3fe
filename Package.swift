// swift-tools-version: 6.2
import PackageDescription

// What is built for: this machine, unless a script that builds for another one says so (scripts/make-arm64). The folders of other
// architectures are left out.
#if arch(arm64)
    let here = "arm64"
#else
    let here = "x86_64"
#endif
let others = ["x86_64", "arm64"].filter { $0 != Context.environment["DIRTYREC_ARCHITECTURE"] ?? here }

let package = Package(
    name: "dirtyrec",
    products: [
        .executable(name: "dirtyrec", targets: ["dirtyrec"]),
        // The virtual table for any SQLite: .load libdirtyrec_sqlite
        .library(name: "dirtyrec_sqlite", type: .dynamic, targets: ["EntryTable"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        // Shims: C, one reason each. Constants, layout asserts and guest machine code, no logic:
        .shim("CKVM", exclude: others),
        // what the virtual table asks of any SQLite,
        .shim("CEntryTable"),
        // the few SQLite calls that Swift cannot import because they are variadic,
        .shim("CSQLiteShim"),
        // line editing for the SQL shell (the setters of libedit are variadic),
        .shim("CLineEdit", linkerSettings: [.linkedLibrary("edit")]),
        // a full screen (variables and macros of ncurses),
        .shim("CTerminalScreen", linkerSettings: [.linkedLibrary("ncursesw"), .linkedLibrary("tinfo")]),
        // one instruction that Swift has no word for,
        .shim("CPrefetch"),
        // one system call that Swift does not import,
        .shim("CExchange"),
        // what only the build knows,
        .shim("CBuild"),
        // an empty table in the place of 32 MB of ICU's,
        .shim("CNoICU"),
        // Markdown by libcmark-gfm,
        .systemLibrary(name: "CCMark", path: "Sources/Shims/CCMark", pkgConfig: "libcmark-gfm"),
        // and compression by libzstd.
        .systemLibrary(name: "CZstd", path: "Sources/Shims/CZstd", pkgConfig: "libzstd"),

        // Ground: what every floor stands on.
        .room("Platform", on: .ground),
        .room("Model", on: .ground, needs: ["Platform", "CBuild"]),

        // Store: the file.
        .target(
            name: "Schemas", path: "schemas",
            resources: [
                .embedInCode("migrations"), .embedInCode("views"), .embedInCode("charts"), .embedInCode("queries"),
                .embedInCode("fleet"), .embedInCode("optional"),
            ]),
        // The virtual table that decodes segments: within our programs, and as an extension for any SQLite.
        .room("EntryTable", on: .store, needs: ["Model", "CEntryTable"]),
        .room(
            "Store", on: .store,
            needs: [
                "Platform", "Model", "Schemas", "CSQLiteShim", "EntryTable", "CEntryTable",
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),
        // Entries that somebody else recorded: trace files, text. Its assembly of events serves Attach, too.
        .room("Import", on: .store, needs: ["Platform", "Model"]),
        // Many recordings: Parquet by DuckDB, questions to DuckDB and Spark, all through one embedded Python program.
        .room(
            "Fleet", on: .store, needs: ["Platform", "Store", "Model", "CExchange"],
            resources: [.embedInCode("Resources")]),

        // Capture: who makes entries.
        .room("KVM", on: .capture, needs: ["Platform", "CKVM"], exclude: others),
        .room("Guests", on: .capture, needs: ["KVM", "CKVM", "Platform", "Model"], exclude: others),
        // What is in pages; of bytes, whoever read them.
        .room("Content", on: .capture, needs: ["CZstd", "Platform", "Model"]),
        .room("Recorder", on: .capture, needs: ["KVM", "Guests", "Content", "Platform", "Model"]),
        // Guests of other VMMs: tracefs live, QEMU's monitor. No KVM.
        .room("Attach", on: .capture, needs: ["Import", "Content", "Platform", "Model"]),

        // Answers: what the entries say.
        .room("Analysis", on: .answers, needs: ["Platform", "Model", "CPrefetch"]),
        .room(
            "Report", on: .answers,
            needs: ["Platform", "Model", "Analysis", "Schemas", .product(name: "Mustache", package: "swift-mustache")],
            resources: [.embedInCode("Resources")]),
        // HTTP for readers whom nobody trusts.
        .room(
            "Web", on: .answers,
            needs: [
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .room("Notebook", on: .answers, needs: ["CCMark", "Platform", "Store", "Model", "Report"]),

        .executableTarget(
            name: "dirtyrec",
            dependencies: [
                "Platform", "KVM", "Guests", "Content", "Recorder", "Model", "Store", "Import", "Attach", "Analysis",
                "Report",
                "CLineEdit", "CTerminalScreen", "CNoICU", "Notebook", "Fleet", "Web",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Tool/dirtyrec"),

        // Not shipped: what tests, fuzzing and benchmarks share. Files of every import format, folders that go away, the same
        // random numbers in every run.
        .target(name: "TestSupport", path: "Tests/TestSupport"),
        // Not shipped: everything that is measured, with yardsticks in C (docs/performance.md).
        .target(name: "CStoreBench", path: "Benchmarks/CStoreBench", linkerSettings: [.linkedLibrary("sqlite3")]),
        .executableTarget(
            name: "dirtyrec-bench",
            dependencies: [
                "CStoreBench", "Platform", "Model", "Store", "KVM", "Guests", "Recorder", "Analysis", "Report",
                "TestSupport",
            ],
            path: "Benchmarks/dirtyrec-bench"),
        // Not shipped: asks everything of damaged and hostile recordings (scripts/fuzz).
        .executableTarget(
            name: "dirtyrec-fuzz",
            dependencies: [
                "Store", "Import", "Analysis", "Report", "Model", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            path: "Tests/Fuzz"),

        .testTarget(name: "HouseTests"),
        .testTarget(name: "ModelTests", dependencies: ["Model", "TestSupport"]),
        .testTarget(
            name: "StoreTests", dependencies: ["Store", "Model", "Schemas", "TestSupport"], exclude: ["Released"]),
        .testTarget(name: "SQLTests", dependencies: ["Store", "Analysis", "Model", "Schemas", "TestSupport"]),
        .testTarget(name: "NotebookTests", dependencies: ["Notebook", "Store", "Model", "TestSupport"]),
        .testTarget(name: "AnalysisTests", dependencies: ["Analysis", "Model", "TestSupport"]),
        .testTarget(name: "ReportTests", dependencies: ["Report", "Analysis", "Model", "Store", "Schemas"]),
        .testTarget(name: "WebTests", dependencies: ["Web"]),
        .testTarget(
            name: "GuestsTests", dependencies: ["Guests"], exclude: others.filter { $0 == "x86_64" }),
        .testTarget(name: "KVMTests", dependencies: ["KVM", "Guests", "Platform"]),
        .testTarget(
            name: "RecorderTests",
            dependencies: ["Recorder", "Content", "Analysis", "Platform", "Model", "Guests", "KVM", "CZstd"],
            exclude: others.filter { $0 == "x86_64" }),
        .testTarget(
            name: "ImportTests", dependencies: ["Import", "Model", "TestSupport"], exclude: ["Cases", "Migrations"]),
        .testTarget(
            name: "AttachTests", dependencies: ["Attach", "Content", "Import", "Model", "Platform", "TestSupport"]),
        .testTarget(name: "CLITests", dependencies: ["Model", "Store", "TestSupport"]),
    ]
)

// One place for the rules of every Swift target of ours.
let cTargets = [
    "CKVM", "CEntryTable", "CSQLiteShim", "CPrefetch", "CExchange", "CStoreBench", "CLineEdit", "CTerminalScreen",
    "CBuild", "CNoICU", "CCMark", "CZstd",
]
for target in package.targets where !cTargets.contains(target.name) {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .strictMemorySafety(),
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
    ]
}

/// The floors of the house, as folders of `Sources`; docs/architecture.md draws them. A floor imports only downwards.
enum Floor: String {
    case ground = "Ground"
    case store = "Store"
    case capture = "Capture"
    case answers = "Answers"
}

extension Target {
    static func room(
        _ name: String, on floor: Floor, needs: [Target.Dependency] = [], exclude: [String] = [],
        resources: [Resource]? = nil
    ) -> Target {
        .target(
            name: name, dependencies: needs, path: "Sources/\(floor.rawValue)/\(name)", exclude: exclude,
            resources: resources)
    }

    static func shim(_ name: String, exclude: [String] = [], linkerSettings: [LinkerSetting]? = nil) -> Target {
        .target(name: name, path: "Sources/Shims/\(name)", exclude: exclude, linkerSettings: linkerSettings)
    }
}
