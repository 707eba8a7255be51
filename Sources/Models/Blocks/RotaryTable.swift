internal import Foundation
package import Tensor

/// Cosines and sines of the rotary embedding for consecutive positions.
package struct RotaryTable: Sendable {
  /// `[positions, channels / 2]`, float32.
  package let cosines: Tensor
  /// `[positions, channels / 2]`, float32.
  package let sines: Tensor

  /// Computes the table for positions `0..<positions`.
  package init(_ configuration: RotaryConfiguration, positions: Int) {
    let frequencies = configuration.frequencies
    let factor = configuration.attentionFactor
    var cosines: [Float] = []
    var sines: [Float] = []
    cosines.reserveCapacity(positions * frequencies.count)
    sines.reserveCapacity(positions * frequencies.count)
    for position in 0..<positions {
      for frequency in frequencies {
        // The angle is rounded to float32 as the trained implementations do.
        let angle = Double(Float(position) * frequency)
        cosines.append(Float(cos(angle) * factor))
        sines.append(Float(sin(angle) * factor))
      }
    }
    let shape: Shape = [positions, frequencies.count]
    self.cosines = Tensor(cosines, shape: shape)
    self.sines = Tensor(sines, shape: shape)
  }

  /// The number of positions.
  package var positions: Int { cosines.shape[0] }
}
