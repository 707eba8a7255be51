import Tensor
import TestSupport
import Testing

@testable import Train

@Suite("Learning rate schedules")
struct ScheduleTests {
  static let schedules: [(name: String, schedule: Schedule)] = [
    ("linear", .linear(peak: 2, steps: 60, warmupSteps: 6)),
    ("cosine", .cosine(peak: 2, steps: 60, warmupSteps: 6)),
    ("wsd.linear", stable(.linear)), ("wsd.cosine", stable(.cosine)),
    ("wsd.square_root", stable(.squareRoot)),
  ]

  static func stable(_ curve: Schedule.Curve) -> Schedule {
    .warmupStableDecay(
      peak: 2,
      steps: 60,
      warmupSteps: 6,
      decaySteps: 20,
      curve: curve,
      finalFraction: 0.1
    )
  }

  @Test(
    "the fall is transformers', the rise its own one step earlier",
    arguments: 0..<schedules.count
  )
  func golden(index: Int) throws {
    let (name, schedule) = Self.schedules[index]
    let factors = try Golden("optimizers.safetensors")["schedule.\(name)"].numbers
    for step in 7...61 {
      #expect(abs(schedule.rate(at: step) - 2 * factors[step - 1]) < 1e-6, "step \(step)")
    }
    let rise = try Golden("optimizers.safetensors")["schedule.linear"].numbers
    for step in 1...6 { #expect(abs(schedule.factor(at: step) - rise[step]) < 1e-6) }
  }

  @Test(
    "it starts above 0, reaches the peak with the warm-up's last step, and ends at the final fraction"
  )
  func ends() throws {
    for (_, schedule) in Self.schedules {
      #expect(schedule.factor(at: 1) == 1.0 / 6)
      #expect(schedule.rate(at: 6) == 2 && schedule.rate(at: 7) == 2)
      #expect(schedule.rate(at: 60) > schedule.finalFraction * 2)
      #expect(abs(schedule.factor(at: 61) - schedule.finalFraction) < 1e-15)
      #expect(schedule.factor(at: 1000) == schedule.factor(at: 61))
      for step in 1...100 { #expect((0...1).contains(schedule.factor(at: step))) }
      for step in 7...99 { #expect(schedule.factor(at: step + 1) <= schedule.factor(at: step)) }
      try schedule.check()
    }
    let constant = Schedule.constant(peak: 0.5, steps: 3)
    #expect((1...4).map(constant.rate) == [0.5, 0.5, 0.5, 0.5])
    #expect(Schedule.linear(peak: 1, steps: 1).rate(at: 1) == 1)
    #expect(Schedule.constant(peak: 1, steps: 4, warmupSteps: 4).factor(at: 2) == 0.5)
  }

  @Test(
    "what does not fit together is an error",
    arguments: [
      Schedule.constant(peak: 0, steps: 1), .constant(peak: .nan, steps: 1),
      .constant(peak: 1, steps: 0), .linear(peak: 1, steps: 5, warmupSteps: 6),
      .warmupStableDecay(peak: 1, steps: 5, warmupSteps: 3, decaySteps: 3),
      .cosine(peak: 1, steps: 5, finalFraction: 1.5), .cosine(peak: 1, steps: 5, warmupSteps: -1),
    ]
  )
  func invalid(schedule: Schedule) {
    #expect(throws: TrainingError.self) { try schedule.check() }
  }
}
