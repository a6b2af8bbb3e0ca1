//! A certificate authority of the server's own, and a certificate for 127.0.0.1 and `localhost` that it signed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::install::Tool;
use crate::place;
use crate::program;

const TOOL: Tool = Tool { what: "OpenSSL", package: "openssl", formula: "openssl", service: None };

const NAMES: &str = "subjectAltName = IP:127.0.0.1, DNS:localhost\n";

/// The files of the TLS listener, in a folder of their own.
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

    /// The server's certificate, as PEM.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("server.pem")
    }

    /// The server's key, as PEM.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("server.key")
    }

    /// Makes the files anew.
    pub(crate) fn make(&self) -> Result<(), Error> {
        if program::answer("openssl", &["version"]).is_none() {
            TOOL.install()?;
        }
        place::remove_folder(&self.folder)?;
        place::create(&self.folder)?;
        place::write(&self.folder.join("names"), NAMES)?;
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        self.openssl(
            &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 3650"),
            "/CN=jitney test ca",
        )?;
        self.openssl(&format!("req {key} -keyout server.key -out server.csr"), "/CN=localhost")?;
        let signed_by = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile names";
        self.openssl(&format!("x509 -req -in server.csr {signed_by} -out server.pem -days 3650"), "")
    }

    /// Runs the words of `args` in the folder, with the subject of a request where there is one.
    fn openssl(&self, args: &str, subject: &str) -> Result<(), Error> {
        let mut command = Command::new("openssl");
        command.args(args.split_whitespace()).current_dir(&self.folder);
        if !subject.is_empty() {
            command.args(["-subj", subject]);
        }
        program::run(&mut command).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::tests::empty;

    #[test]
    fn the_certificate_is_for_this_machine_and_signed_by_the_authority() {
        let tls = Tls::in_folder(&empty("rabbitmq-tls").join("tls"));
        tls.make().unwrap();
        tls.make().unwrap();
        let (authority, certificate) = (tls.authority(), tls.certificate());
        let verified = |host: &str| {
            let mut command = Command::new("openssl");
            command.args(["verify", "-verify_ip", host, "-CAfile"]).arg(&authority).arg(&certificate);
            program::run(&mut command)
        };
        verified("127.0.0.1").unwrap();
        assert!(verified("192.0.2.1").is_err());
        assert!(tls.key().is_file());
    }
}
