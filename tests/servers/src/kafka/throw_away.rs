//! A node that one test starts for itself, with settings of its own.

use std::fmt::Display;
use std::ops::Deref;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::body::Body;
use crate::error::Error;
use crate::kafka::disk::{self, Disk};
use crate::kafka::node::{self, Heap, Node};
use crate::kafka::properties::{Properties, Shape};
use crate::kafka::runtime::Runtime;
use crate::kind::Kind;
use crate::place::{self, Lock, Place};
use crate::ports::Ports;
use crate::program;
use crate::state::new_id;

/// A node to be started: without logins and TLS, on this machine's Java also where other servers are containers.
///
/// ```no_run
/// use std::time::Duration;
/// use jitney_test_servers::ThrowAway;
///
/// # fn main() -> Result<(), jitney_test_servers::Error> {
/// let node = ThrowAway::new("small-messages").set("message.max.bytes", 2000).start(Duration::from_secs(30))?;
/// println!("{}", node.url());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ThrowAway {
    name: String,
    first_port: Option<u16>,
    settings: Vec<(String, String)>,
    space: Option<u64>,
}

impl ThrowAway {
    /// A node called `name`, which is also its folder's name: small letters, digits and `-`. A second one of the name
    /// waits until the first is dropped; what an earlier run of the test left behind is removed.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), first_port: None, settings: Vec::new(), space: None }
    }

    /// Sets `name` in `server.properties`.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Display) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// Takes the ten ports from `first` on, in place of ten free ones.
    #[must_use]
    pub fn ports_from(mut self, first: u16) -> Self {
        self.first_port = Some(first);
        self
    }

    /// Gives it little space for its data, in bytes; at least 16 MiB, or it does not start.
    ///
    /// Where this process may mount (as root on Linux) the data is on a file system of that size, and a full one is
    /// a full disk. Elsewhere no single file grows beyond the size, which the broker takes for the same.
    #[must_use]
    pub fn small_disk(mut self, bytes: u64) -> Self {
        self.space = Some(bytes);
        self
    }

    /// Starts the node with empty data and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When the name has other characters, what it needs is missing, its ports are taken, or it is not ready within
    /// `limit`.
    pub fn start(self, limit: Duration) -> Result<ThrowAwayNode, Error> {
        place::check_name(&self.name)?;
        let place = Place::of_repository();
        let lock = place.lock(&format!("throw-away-{}", self.name))?;
        let folder = place.throw_away().join(&self.name);
        remove(&folder)?;
        let runtime = Runtime::ready(Kind::Packages, &place)?;
        let node = Node {
            id: 1,
            ports: self.first_port.map_or_else(Ports::free, |first| Ok(Ports::from(first)))?,
            place,
            cluster_id: new_id(),
            secured: false,
            heap: Heap::Small,
            body: body(&folder),
            file_limit: None,
            folder,
        };
        place::create(&node.data())?;
        let disk = self.space.map_or(Disk::Whole, |bytes| Disk::small(&node.data(), bytes));
        let mut node = ThrowAwayNode { node, disk, _lock: lock };
        node.bound();
        node.prepare(&self.properties(&node))?;
        program::run(&mut node.format(&runtime))?;
        node.start()?;
        node.wait_ready(limit)?;
        Ok(node)
    }

    fn properties(&self, node: &Node) -> Properties {
        let mut properties = Properties::of(&Shape {
            id: node.id,
            nodes: &[(node.id, node.ports)],
            ports: node.ports,
            data: &node.data(),
            secured: None,
        });
        for (name, value) in &self.settings {
            properties.set(name, value);
        }
        properties
    }
}

/// A throw-away [`Node`] that was started. Dropped, it is killed and its folder removed; a panicking test leaves the
/// folder for whoever looks into it, until the next start or `cargo xtask down`.
#[derive(Debug)]
pub struct ThrowAwayNode {
    node: Node,
    disk: Disk,
    _lock: Lock,
}

impl ThrowAwayNode {
    /// The URL that a bus connects to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("kafka://{}", self.address())
    }

    /// Makes room for `bytes` after [`small_disk`](ThrowAway::small_disk): a broker that died of a full disk can be
    /// started again, with what it had acknowledged.
    ///
    /// # Errors
    ///
    /// When the file system cannot be made larger.
    pub fn enlarge_disk(&mut self, bytes: u64) -> Result<(), Error> {
        self.disk.enlarge(bytes)?;
        self.bound();
        Ok(())
    }

    fn bound(&mut self) {
        self.node.file_limit = self.disk.file_limit();
    }
}

impl Deref for ThrowAwayNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Drop for ThrowAwayNode {
    fn drop(&mut self) {
        let ended = if thread::panicking() {
            self.node.kill().and_then(|()| disk::unmount(&self.node.data()))
        } else {
            remove(&self.node.folder)
        };
        if let Err(error) = ended {
            eprintln!(
                "{} could not be removed: {error}; `cargo xtask down` tries again",
                self.node.body.what()
            );
        }
    }
}

fn body(folder: &Path) -> Body {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    node::body(Kind::Packages, format!("throw-away node {name}"), folder, String::new())
}

/// Kills the node in `folder`, if it runs, and removes the folder.
pub(crate) fn remove(folder: &Path) -> Result<(), Error> {
    body(folder).kill()?;
    disk::unmount(&folder.join("data"))?;
    place::remove_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        for name in ["", "../other", "a/b", "A"] {
            let error = ThrowAway::new(name).start(Duration::ZERO).unwrap_err();
            assert!(matches!(error, Error::Setting { .. }), "{error}");
        }
    }
}
