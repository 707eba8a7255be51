// swift-tools-version: 6.2
import PackageDescription

// MARK: - Dependencies

// Exact versions: Package.resolved, which would lock them, is not kept.
var packages: [Package.Dependency] = [
  .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
  .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
  .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
  .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
  .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
]
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser",
  package: "swift-argument-parser"
)
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

// The documentation plugin is a dependency only of those who build the documentation.
if Context.environment["SLM_DOCS"] != nil {
  packages.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", exact: "1.5.0"))
}

// MARK: - Settings

let settings: [SwiftSetting] =
  [
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
  ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

// MARK: - Modules, lowest first: a module uses only what stands above it in the list

struct Module {
  var name: String
  var uses: [Target.Dependency]
  var resources: [Resource] = []
  var tested = true
}

let modules: [Module] = [
  Module(name: "Tensor", uses: ["CKernels", "COpenBLAS"]),
  Module(name: "Tokenizers", uses: ["CPCRE2", heap]),
  Module(name: "Checkpoints", uses: ["Tensor"]),
  Module(
    name: "Datasets",
    uses: ["Tokenizers", "CZlib", crypto],
    resources: [
      .embedInCode("Resources/calibration.txt"), .embedInCode("Resources/evaluation.txt"),
    ]
  ),
  Module(name: "Models", uses: ["CKernels", "Tensor", "Tokenizers", "Checkpoints"]),
  Module(name: "Train", uses: ["CKernels", "Tensor", "Checkpoints", "Models", crypto]),
  Module(name: "Pipeline", uses: ["Tensor", "Checkpoints", "Datasets", "Models", crypto, yams]),
  Module(
    name: "Calibrate",
    uses: [
      "CKernels", "COpenBLAS", "Tensor", "Tokenizers", "Datasets", "Models", "Pipeline", crypto,
    ]
  ),
  Module(
    name: "Evaluate",
    uses: ["Tensor", "Tokenizers", "Checkpoints", "Datasets", "Models", "Pipeline", crypto]
  ),
  Module(
    name: "Export",
    uses: ["CKernels", "Tensor", "Tokenizers", "Checkpoints", "Models", "Pipeline"]
  ),
  Module(name: "Sparsity", uses: ["CKernels", "Tensor", "Models", "Pipeline"], tested: false),
  Module(
    name: "TrainStages",
    uses: ["Tensor", "Tokenizers", "Datasets", "Models", "Train", "Pipeline", "Sparsity", crypto]
  ),
  Module(
    name: "Distill",
    uses: [
      "Tensor", "Tokenizers", "Datasets", "Models", "Train", "Pipeline", "Evaluate", "TrainStages",
      crypto,
    ]
  ),
  Module(
    name: "Quantize",
    uses: [
      "CKernels", "Tensor", "Checkpoints", "Datasets", "Models", "Train", "Calibrate",
      "TrainStages", "Pipeline", "Sparsity", "Export",
    ]
  ),
  Module(
    name: "Prune",
    uses: ["CKernels", "Tensor", "Models", "Calibrate", "Pipeline", "Sparsity"]
  ),
  Module(
    name: "Reports",
    uses: ["Pipeline", mustache],
    resources: [.embedInCode("Resources/report.mustache")]
  ),
]

let libraries = modules.map { Target.Dependency(stringLiteral: $0.name) }

let package = Package(
  name: "slm-compress",
  products: modules.map { .library(name: $0.name, targets: [$0.name]) } + [
    .executable(name: "slm-compress", targets: ["slm-compress"]),
    .executable(name: "slm-bench", targets: ["slm-bench"]),
  ],
  dependencies: packages,
  targets: [
    .systemLibrary(
      name: "COpenBLAS",
      pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev"])]
    ),
    .systemLibrary(
      name: "CPCRE2",
      pkgConfig: "libpcre2-8",
      providers: [.apt(["libpcre2-dev"])]
    ),
    .systemLibrary(
      name: "CZlib",
      pkgConfig: "zlib",
      providers: [.apt(["zlib1g-dev"])]
    ),
    .target(name: "CKernels"),
  ]
    + modules.map {
      .target(
        name: $0.name,
        dependencies: $0.uses,
        resources: $0.resources,
        swiftSettings: settings
      )
    }
    + [
      .executableTarget(
        name: "slm-compress",
        dependencies: libraries + [argumentParser],
        swiftSettings: settings
      ),
      .executableTarget(
        name: "slm-bench",
        dependencies: ["COpenBLAS"] + libraries + [argumentParser],
        swiftSettings: settings
      ),
      .target(
        name: "TestSupport",
        dependencies: libraries,
        path: "Tests/Support",
        swiftSettings: settings
      ),
    ]
    + modules.filter(\.tested).map {
      .testTarget(
        name: "\($0.name)Tests",
        dependencies: libraries + ["CKernels", "TestSupport"],
        swiftSettings: settings
      )
    }
    + [
      .testTarget(
        name: "CommandTests",
        dependencies: ["slm-compress", "TestSupport"] + libraries,
        swiftSettings: settings
      )
    ],
  swiftLanguageModes: [.v6]
)
