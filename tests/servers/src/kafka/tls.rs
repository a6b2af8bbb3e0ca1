//! A certificate authority of our own, and a certificate for 127.0.0.1 and `localhost` that it signed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::kafka::PASSWORD;
use crate::kafka::runtime::Runtime;
use crate::place::{self, Place};
use crate::program;

/// The files of the TLS listener.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    folder: PathBuf,
}

impl Tls {
    /// The files in `folder`, which may be yet to be made.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The certificate of the authority, as PEM: what a client has to trust.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The server's key and certificate, as PKCS#12.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join("server.p12")
    }

    /// Makes the files with the JDK's `keytool`, unless they are there.
    pub(crate) fn make(&self, place: &Place, runtime: &Runtime) -> Result<(), Error> {
        let _lock = place.lock("tls")?;
        if self.authority().is_file() && self.store().is_file() {
            return Ok(());
        }
        place::remove_folder(&self.folder)?;
        place::create(&self.folder)?;
        let keytool = |action: &[&str]| {
            let mut command: Command = runtime.tool(place, "keytool");
            command.args(action).arg("-keystore").arg(self.store());
            command.args(["-storetype", "PKCS12", "-storepass", PASSWORD]);
            program::run(&mut command)
        };
        let pair = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "3650"];
        keytool(
            &[&pair[..], &["-alias", "ca", "-dname", "CN=jitney test ca", "-ext", "bc:c=ca:true"]].concat(),
        )?;
        keytool(
            &[
                &pair[..],
                &["-alias", "server", "-dname", "CN=localhost", "-signer", "ca"],
                &["-ext", "san=ip:127.0.0.1,dns:localhost"],
            ]
            .concat(),
        )?;
        let authority = keytool(&["-exportcert", "-rfc", "-alias", "ca"])?;
        // With the authority's key beside the server's, the broker could choose the wrong one.
        keytool(&["-delete", "-alias", "ca"])?;
        place::write(&self.authority(), &authority)
    }
}
