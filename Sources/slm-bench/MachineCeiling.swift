internal import COpenBLAS
internal import Foundation
internal import Tensor

/// What this machine reaches at best, measured in this process: kernels are reported as fractions
/// of it, so that their numbers hold on another machine.
enum MachineCeiling {
  /// The rate of OpenBLAS's `sgemm` on square matrices of 1024, in GFLOP/s.
  static func sgemm() -> Double {
    var random = Random(seed: 1)
    let (a, b) = (random.uniform([1024, 1024]), random.uniform([1024, 1024]))
    let time = seconds(runs: 20) { _ = openBLASProduct(a, b) }
    return 2 * pow(1024, 3) / time / 1e9
  }

  /// The bytes read and written by copying 256 MiB, in GB/s.
  static func copy() -> Double {
    let large = Tensor(zeros: [256 << 20], dtype: .uint8)
    let time = seconds(runs: 5) { _ = large.copied() }
    return 2 * Double(256 << 20) / time / 1e9
  }

  /// The product of two matrices by OpenBLAS.
  static func openBLASProduct(
    _ a: Tensor,
    _ b: Tensor,
    firstTransposed: Bool = false,
    secondTransposed: Bool = true
  ) -> Tensor {
    let (m, k) = firstTransposed ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let n = secondTransposed ? b.shape[0] : b.shape[1]
    var y = Tensor(uninitialized: [m, n], dtype: .float32)
    y.withMutableElements(as: Float.self) { y in
      a.withElements(as: Float.self) { first in
        b.withElements(as: Float.self) { second in
          Parallelism.withThreadsOfBLAS(order: .max) {
            cblas_sgemm(
              CblasRowMajor,
              firstTransposed ? CblasTrans : CblasNoTrans,
              secondTransposed ? CblasTrans : CblasNoTrans,
              Int32(m),
              Int32(n),
              Int32(k),
              1,
              first.baseAddress,
              Int32(a.shape[1]),
              second.baseAddress,
              Int32(b.shape[1]),
              0,
              y.baseAddress,
              Int32(n)
            )
          }
        }
      }
    }
    return y
  }
}

/// The shortest time of several runs of `body`, in seconds.
func seconds(runs: Int, _ body: () -> Void) -> Double {
  let clock = ContinuousClock()
  var best = Duration.seconds(1_000_000)
  for _ in 0..<runs { best = min(best, clock.measure(body)) }
  return Double(best.components.attoseconds) * 1e-18 + Double(best.components.seconds)
}
