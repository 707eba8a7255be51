/// A place in a template's source, counted from 1; columns are code points.
struct TemplatePlace: Sendable {
  let line: Int
  let column: Int
}

/// An expression of a template.
final class TemplateExpression: Sendable {
  enum Kind: Sendable {
    case literal(TemplateValue)
    case name(String)
    case list([TemplateExpression])
    case tuple([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, String)
    case item(TemplateExpression, TemplateExpression)
    case slice(TemplateExpression, [TemplateExpression?])
    case call(TemplateExpression, TemplateArguments)
    case filter(TemplateExpression?, String, TemplateArguments)
    case test(TemplateExpression, String, TemplateArguments)
    case negate(TemplateExpression)
    case plus(TemplateExpression)
    case not(TemplateExpression)
    case arithmetic(TemplateExpression, String, TemplateExpression)
    case concatenation([TemplateExpression])
    case comparison(TemplateExpression, [(operation: String, right: TemplateExpression)])
    case and(TemplateExpression, TemplateExpression)
    case or(TemplateExpression, TemplateExpression)
    case conditional(TemplateExpression, then: TemplateExpression, else: TemplateExpression?)
  }

  let kind: Kind
  let place: TemplatePlace
  /// The number of expressions from here to the deepest one inside.
  let depth: Int

  init(_ kind: Kind, at place: TemplatePlace) {
    self.kind = kind
    self.place = place
    depth = 1 + kind.children.reduce(0) { max($0, $1.depth) }
  }
}

extension TemplateExpression.Kind {
  var children: [TemplateExpression] {
    switch self {
    case .literal, .name: []
    case .list(let elements), .tuple(let elements), .concatenation(let elements): elements
    case .dictionary(let entries): entries.flatMap { [$0.key, $0.value] }
    case .attribute(let base, _), .negate(let base), .plus(let base), .not(let base): [base]
    case .slice(let base, let bounds): [base] + bounds.compactMap { $0 }
    case .call(let base, let arguments), .test(let base, _, let arguments):
      [base] + arguments.expressions
    case .filter(let base, _, let arguments): (base.map { [$0] } ?? []) + arguments.expressions
    case .item(let left, let right), .arithmetic(let left, _, let right), .and(let left, let right),
      .or(let left, let right):
      [left, right]
    case .comparison(let left, let rest): [left] + rest.map(\.right)
    case .conditional(let condition, let then, let otherwise):
      [condition, then] + (otherwise.map { [$0] } ?? [])
    }
  }
}

/// The arguments of a call, a filter or a test.
struct TemplateArguments: Sendable {
  var positional: [TemplateExpression] = []
  var named: [(name: String, value: TemplateExpression)] = []

  var expressions: [TemplateExpression] { positional + named.map(\.value) }
}

/// A statement of a template.
struct TemplateStatement: Sendable {
  enum Kind: Sendable {
    case text(String)
    case output(TemplateExpression)
    case choice([(condition: TemplateExpression, body: [TemplateStatement])], [TemplateStatement])
    case loop(Loop)
    case set([Target], TemplateExpression)
    /// Like `set`, from what a body prints, through filters.
    case setBlock(Target, TemplateExpression?, [TemplateStatement])
    case macro(Macro)
    /// A body in a scope of its own, after these assignments.
    case with([([Target], TemplateExpression)], [TemplateStatement])
    case filterBlock(TemplateExpression, [TemplateStatement])
    /// What the model is to learn to say.
    case generation([TemplateStatement])
    case breakLoop
    case continueLoop
  }

  /// What is assigned to: a name, or an attribute of a namespace.
  struct Target: Sendable {
    let name: String
    let attribute: String?
    let place: TemplatePlace
  }

  struct Loop: Sendable {
    let targets: [Target]
    let iterated: TemplateExpression
    let condition: TemplateExpression?
    let body: [TemplateStatement]
    let otherwise: [TemplateStatement]
  }

  struct Macro: Sendable {
    let name: String
    let parameters: [(name: String, value: TemplateExpression?)]
    let body: [TemplateStatement]
  }

  let kind: Kind
  let place: TemplatePlace
}
