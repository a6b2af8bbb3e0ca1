//! What servers run in: processes of this machine, or containers.

use std::fmt::{self, Display, Formatter};

/// What a server runs in, by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Packages that were fetched or installed, as processes of this machine.
    Packages,
    /// Containers of a Docker engine.
    Docker,
}

impl Kind {
    /// The kind of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Packages, Self::Docker].into_iter().find(|kind| kind.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::Docker => "docker",
        }
    }
}

impl Display for Kind {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name() {
        for kind in [Kind::Packages, Kind::Docker] {
            assert_eq!(Kind::from_name(&kind.to_string()), Some(kind));
        }
        assert_eq!(Kind::from_name("vm"), None);
    }
}
