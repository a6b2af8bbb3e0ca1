//! Which versions of an event type have to understand each other.

use std::fmt;

/// Which minor versions of one major version have to understand each other, by Confluent's names.
///
/// Between major versions stands an upcaster, whatever the rule. Under every rule but [`None`](Rule::None) a minor version only
/// adds: a field that is gone is a problem.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The new version reads what the one before wrote.
    Backward,
    /// The new version reads what each one before wrote.
    BackwardTransitive,
    /// The version before reads what the new one writes.
    Forward,
    /// Each version before reads what the new one writes.
    ForwardTransitive,
    /// Both, with the version before.
    Full,
    /// Both, with each version before: readers may be older or newer than writers, by as much as they like.
    #[default]
    FullTransitive,
    /// Versions are locked and not compared.
    None,
}

impl Rule {
    /// Confluent's name for it: `FULL_TRANSITIVE`.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Backward => "BACKWARD",
            Rule::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Rule::Forward => "FORWARD",
            Rule::ForwardTransitive => "FORWARD_TRANSITIVE",
            Rule::Full => "FULL",
            Rule::FullTransitive => "FULL_TRANSITIVE",
            Rule::None => "NONE",
        }
    }

    /// Whether new readers must read what older versions wrote.
    pub(crate) fn is_backward(self) -> bool {
        matches!(self, Rule::Backward | Rule::BackwardTransitive | Rule::Full | Rule::FullTransitive)
    }

    /// Whether older readers must read what new versions write.
    pub(crate) fn is_forward(self) -> bool {
        matches!(self, Rule::Forward | Rule::ForwardTransitive | Rule::Full | Rule::FullTransitive)
    }

    /// Whether it is about every version before, not the last alone.
    pub(crate) fn is_transitive(self) -> bool {
        matches!(self, Rule::BackwardTransitive | Rule::ForwardTransitive | Rule::FullTransitive)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
