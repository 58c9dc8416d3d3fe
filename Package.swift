// swift-tools-version: 6.2
import PackageDescription

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
    ],
    targets: [
        // Constants, layout asserts and guest machine code. No logic.
        .target(name: "CKVM"),
        .target(name: "KVM", dependencies: ["CKVM"]),
        .target(name: "Guests", dependencies: ["KVM", "CKVM", "TraceModel"]),
        .target(name: "Recorder", dependencies: ["KVM", "Guests", "TraceModel"]),

        .target(name: "TraceModel"),
        .target(
            name: "Schemas", path: "schemas",
            resources: [
                .embedInCode("migrations"), .embedInCode("views"), .embedInCode("charts"), .embedInCode("queries"),
                .embedInCode("fleet"),
            ]),
        // The virtual table that decodes segments: within our programs, and as an extension for any SQLite.
        .target(name: "CEntryTable"),
        .target(name: "EntryTable", dependencies: ["TraceModel", "CEntryTable"]),
        // The few SQLite calls that Swift cannot import because they are variadic.
        .target(name: "CSQLiteShim"),
        .target(
            name: "TraceStore",
            dependencies: [
                "TraceModel", "Schemas", "CSQLiteShim", "EntryTable", "CEntryTable",
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),
        // Entries that another VMM's guest made: tracefs live, trace files, text. No KVM.
        .target(name: "Tracing", dependencies: ["TraceModel"]),
        // Line editing for the SQL shell; the setters of libedit are variadic.
        .target(name: "CLineEdit", linkerSettings: [.linkedLibrary("edit")]),
        // Markdown by libcmark-gfm.
        .systemLibrary(name: "CCMark", pkgConfig: "libcmark-gfm"),
        .target(name: "Notebook", dependencies: ["CCMark", "TraceStore", "Report"]),
        // One instruction that Swift has no word for.
        .target(name: "CPrefetch"),
        .target(name: "Analysis", dependencies: ["TraceModel", "CPrefetch"]),
        .target(
            name: "Report",
            dependencies: [
                "TraceModel", "Analysis", "Schemas", .product(name: "Mustache", package: "swift-mustache"),
            ],
            resources: [.embedInCode("Resources")]),

        // One system call that Swift does not import.
        .target(name: "CExchange"),
        // Many recordings: Parquet by DuckDB, questions to DuckDB and Spark, all through one embedded Python program.
        .target(
            name: "Fleet", dependencies: ["TraceStore", "TraceModel", "CExchange"],
            resources: [.embedInCode("Resources")]),

        .executableTarget(
            name: "dirtyrec",
            dependencies: [
                "KVM", "Guests", "Recorder", "TraceModel", "TraceStore", "Analysis", "Report", "Tracing", "CLineEdit",
                "Notebook", "Fleet",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        // Not shipped: the same random numbers in every run, for tests and benchmarks.
        .target(name: "Seeded", path: "Tests/Seeded"),

        // Not shipped: measures the analysis on generated recordings (docs/performance.md).
        .executableTarget(
            name: "analysis-bench", dependencies: ["Report", "Analysis", "TraceModel"],
            path: "Benchmarks/analysis-bench"),
        // Yardsticks in C, and what measures the store against them.
        .target(name: "CStoreBench", path: "Benchmarks/CStoreBench", linkerSettings: [.linkedLibrary("sqlite3")]),
        .executableTarget(
            name: "dirtyrec-bench", dependencies: ["CStoreBench", "TraceStore", "TraceModel", "Seeded"],
            path: "Benchmarks/StoreBench"),
        // Asks everything of damaged and hostile recordings (scripts/fuzz).
        .executableTarget(
            name: "dirtyrec-fuzz",
            dependencies: [
                "TraceStore", "Analysis", "Report", "TraceModel", "Seeded",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            path: "Benchmarks/fuzz"),

        // How long it takes to stop all vCPUs, by method (docs/sources.md).
        .executableTarget(name: "stop-bench", dependencies: ["Recorder", "TraceModel"], path: "Benchmarks/StopBench"),

        // Not shipped: measures the named queries on a generated recording (docs/cookbook.md).
        .executableTarget(name: "sql-bench", dependencies: ["TraceStore", "TraceModel"], path: "Benchmarks/sql-bench"),

        .testTarget(name: "TraceModelTests", dependencies: ["TraceModel", "Seeded"]),
        .testTarget(name: "TraceStoreTests", dependencies: ["TraceStore", "TraceModel", "Seeded"]),
        .testTarget(name: "SQLTests", dependencies: ["TraceStore", "Analysis", "TraceModel", "Schemas", "Seeded"]),
        .testTarget(name: "NotebookTests", dependencies: ["Notebook", "TraceStore", "TraceModel"]),
        .testTarget(name: "AnalysisTests", dependencies: ["Analysis", "TraceModel", "Seeded"]),
        .testTarget(name: "ReportTests", dependencies: ["Report", "Analysis", "TraceModel", "TraceStore", "Schemas"]),
        .testTarget(name: "GuestsTests", dependencies: ["Guests"]),
        .testTarget(name: "KVMTests", dependencies: ["KVM", "Guests"]),
        .testTarget(name: "RecorderTests", dependencies: ["Recorder", "Analysis", "TraceModel", "Guests", "KVM"]),
        .testTarget(name: "TracingTests", dependencies: ["Tracing", "TraceModel", "Seeded"]),
        .testTarget(name: "CLITests", dependencies: ["TraceModel", "TraceStore"]),
    ]
)

// One place for the rules of every Swift target of ours.
let cTargets = ["CKVM", "CEntryTable", "CSQLiteShim", "CPrefetch", "CExchange", "CStoreBench", "CLineEdit", "CCMark"]
for target in package.targets where !cTargets.contains(target.name) {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .strictMemorySafety(),
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
    ]
}
