// swift-tools-version: 6.2
import PackageDescription

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
  name: "muhafiz",
  products: [
    .executable(name: "muhafiz", targets: ["muhafiz"]),
    .executable(name: "muhafiz-decoder", targets: ["muhafiz-decoder"]),
    .library(name: "Hashing", targets: ["Hashing"]),
    .library(name: "Matching", targets: ["Matching"]),
    .library(name: "Exchange", targets: ["Exchange"]),
    .library(name: "Decoding", targets: ["Decoding"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
  ],
  targets: [
    // C, where Swift cannot go or was measured slower; each header says which.
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CIDN", pkgConfig: "libidn2", providers: [.apt(["libidn2-dev"])]),
    .systemLibrary(name: "CPango", pkgConfig: "pangocairo", providers: [.apt(["libpango1.0-dev"])]),
    .target(name: "CKernels"),
    .target(
      name: "CMedia",
      linkerSettings: ["jpeg", "png16", "webp", "webpdemux", "tiff", "heif", "de265", "jxl", "avformat", "avcodec", "avutil"].map
      { .linkedLibrary($0) }),
    .systemLibrary(name: "CPDF", pkgConfig: "libqpdf", providers: [.apt(["libqpdf-dev"])]),
    .systemLibrary(
      name: "CContainers", pkgConfig: "libarchive",
      providers: [.apt(["libarchive-dev", "libtsk-dev", "libewf-dev", "libudfread-dev"])]),
    .systemLibrary(name: "CXML", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
    .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl"), .linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "CSandbox", linkerSettings: [.linkedLibrary("seccomp")]),

    // The house, from the ground up: every import points to a line above it.
    .target(name: "Hashing", dependencies: ["COpenSSL", "CKernels", system]),
    .target(name: "Matching", dependencies: ["Hashing", "CKernels", "CIDN", system]),
    .target(
      name: "Exchange",
      dependencies: ["Hashing", "Matching", grdb, .product(name: "GRDBSQLite", package: "GRDB.swift"), system]),
    .target(name: "Decoding", dependencies: ["Hashing", "CSandbox", system]),
    .target(name: "Scanning", dependencies: ["Hashing", "Matching", "Decoding", "COpenSSL", "CCurl", system]),
    .target(
      name: "Casework", dependencies: ["Hashing", "Matching", "COpenSSL", "CPango", grdb, system],
      resources: ["pk-peca-37.json", "pk-smpra.json", "voluntary-notice.json", "notice.en.txt", "notice.ur.txt"].map {
        .embedInCode("Resources/\($0)")
      }),
    .executableTarget(
      name: "muhafiz",
      dependencies: [
        "Hashing", "Matching", "Exchange", "Decoding", "Scanning", "Casework", argumentParser, system,
      ]),
    .executableTarget(
      name: "muhafiz-decoder",
      dependencies: ["Hashing", "Decoding", "CMedia", "CContainers", "CXML", "CPDF", "CSandbox", system]),

    .target(name: "TestSupport", dependencies: ["Hashing", "Matching", system], path: "Tests/TestSupport"),
    .testTarget(name: "HashingTests", dependencies: ["Hashing", "TestSupport"]),
    .testTarget(name: "MatchingTests", dependencies: ["TestSupport", "Hashing", "Matching", "CKernels", system]),
    .testTarget(name: "ExchangeTests", dependencies: ["TestSupport", "Hashing", "Matching", "Exchange", grdb, system]),
    .testTarget(
      name: "DecodingTests", dependencies: ["TestSupport", "Hashing", "Decoding", "muhafiz-decoder", system]),
    .testTarget(
      name: "ScanningTests",
      dependencies: ["TestSupport", "Hashing", "Matching", "Decoding", "Scanning", "muhafiz-decoder", system],
      exclude: ["Fetching/hostile_server.py", "Pages/site.py"]),
    .testTarget(
      name: "CaseworkTests",
      dependencies: ["TestSupport", "Hashing", "Matching", "Casework", "muhafiz", "muhafiz-decoder", grdb, system],
      exclude: ["ledger_verifier.py", "record_calls.c"]),
    .testTarget(
      name: "CommandTests",
      dependencies: ["TestSupport", "muhafiz", "muhafiz-decoder", "Hashing", "Matching", "Scanning", "Casework", system],
      exclude: ["kill_at_call.c", "web_in_namespace.py", "report_reader.py"]),
  ],
  swiftLanguageModes: [.v6]
)
