// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Benchmarks",
  dependencies: [
    .package(name: "muhafiz", path: ".."),
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.0", traits: []),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .executableTarget(
      name: "Parts",
      dependencies: [
        .product(name: "Benchmark", package: "benchmark"),
        .product(name: "Hashing", package: "muhafiz"),
        .product(name: "Matching", package: "muhafiz"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Benchmarks/Parts",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    .executableTarget(
      name: "Imports",
      dependencies: [
        .product(name: "Benchmark", package: "benchmark"),
        .product(name: "Exchange", package: "muhafiz"),
        .product(name: "Matching", package: "muhafiz"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Benchmarks/Imports",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
  ],
  swiftLanguageModes: [.v6]
)
