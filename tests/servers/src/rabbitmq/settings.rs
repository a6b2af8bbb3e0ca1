//! The settings of RabbitMQ: its files and its variables.

use crate::made::{Made, text};
use crate::ports::{self, Ports};
use crate::rabbitmq::tls::Tls;

/// `guest:guest` as HTTP wants it.
pub(crate) const LOGIN: &str = "Z3Vlc3Q6Z3Vlc3Q=";

/// The share of the machine's memory at which the server raises an alarm.
pub(crate) const WATERMARK: &str = "0.4";

/// The plugins that are on, as the server reads them.
pub(crate) const PLUGINS: &str = "[rabbitmq_consistent_hash_exchange,rabbitmq_management].\n";

/// The file of the plugins.
pub(crate) const PLUGINS_FILE: &str = "enabled_plugins";

/// The file of the other settings.
pub(crate) const SETTINGS_FILE: &str = "rabbitmq.conf";

/// The URL that a bus connects to.
pub(crate) fn url(ports: Ports) -> String {
    format!("amqp://guest:guest@{}", ports::local(ports.client()))
}

/// The URL for TLS.
pub(crate) fn tls_url(ports: Ports) -> String {
    format!("amqps://guest:guest@{}", ports::local(ports.tls()))
}

/// The files of the listener for TLS.
pub(crate) fn tls(made: &Made) -> Tls {
    Tls::in_folder(&made.file("tls"))
}

/// What the node is called; nothing else is called so.
pub(crate) fn name(made: &Made) -> String {
    format!("jitney-{}", made.state.id)
}

/// What is in [`SETTINGS_FILE`].
pub(crate) fn settings(ports: Ports, tls: &Tls) -> String {
    let lines = [
        ("listeners.tcp.local", ports::local(ports.client()).to_string()),
        ("listeners.ssl.local", ports::local(ports.tls()).to_string()),
        ("ssl_options.cacertfile", text(&tls.authority())),
        ("ssl_options.certfile", text(&tls.certificate())),
        ("ssl_options.keyfile", text(&tls.key())),
        ("ssl_options.verify", "verify_none".to_owned()),
        ("management.tcp.ip", "127.0.0.1".to_owned()),
        ("management.tcp.port", ports.management().to_string()),
        ("vm_memory_high_watermark.relative", WATERMARK.to_owned()),
        ("log.console", "true".to_owned()),
        ("log.file", "false".to_owned()),
    ];
    lines.iter().map(|(name, value)| format!("{name} = {value}\n")).collect()
}

/// The variables that the server and its tools are run with.
pub(crate) fn environment(made: &Made) -> Vec<(&'static str, String)> {
    let ours_only = "-kernel inet_dist_use_interface {127,0,0,1}";
    vec![
        // The cookie that the server makes and its tools show is there.
        ("HOME", text(&made.folder)),
        ("ERL_EPMD_PORT", made.ports.epmd().to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODENAME", format!("{}@localhost", name(made))),
        ("RABBITMQ_LOG", "-color".to_owned()),
        ("RABBITMQ_DIST_PORT", made.ports.distribution().to_string()),
        ("RABBITMQ_CONF_ENV_FILE", text(&made.file("rabbitmq-env.conf"))),
        ("RABBITMQ_CONFIG_FILE", text(&made.file(SETTINGS_FILE))),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", text(&made.file(PLUGINS_FILE))),
        ("RABBITMQ_MNESIA_BASE", text(&made.data())),
        ("RABBITMQ_LOG_BASE", text(&made.data())),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ours_only.to_owned()),
        ("RABBITMQ_CTL_ERL_ARGS", ours_only.to_owned()),
        // The script then becomes the server in place of watching over it, so that its pid is the server's.
        ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::managed::Make;
    use crate::place::{Place, tests::empty};
    use crate::rabbitmq::RabbitMq;
    use crate::server::Server;

    #[test]
    fn it_listens_on_this_machine_only() {
        let tls = Tls::in_folder(std::path::Path::new("/tls"));
        let settings = settings(Ports::from(29492), &tls);
        assert!(settings.contains("listeners.ssl.local = 127.0.0.1:29498\n"), "{settings}");
        assert!(settings.contains("listeners.tcp.local = 127.0.0.1:29492\n"), "{settings}");
        assert!(
            settings.contains("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = 29493\n"),
            "{settings}"
        );
        assert_eq!(url(Ports::from(29492)), "amqp://guest:guest@127.0.0.1:29492");
    }

    #[test]
    fn a_login_is_that_of_the_url() {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |byte: u8| DIGITS.iter().position(|known| *known == byte).unwrap_or(0);
        let bits = LOGIN.bytes().fold(0_u128, |bits, byte| (bits << 6) | digit(byte) as u128);
        let bytes = bits.to_be_bytes();
        // Sixteen digits are twelve bytes, the last of them for the sign of equality.
        assert_eq!(&bytes[4..15], b"guest:guest");
    }

    #[test]
    fn its_folder_has_the_files_that_the_variables_name() {
        let place = Place::at(empty("rabbitmq"));
        let server = RabbitMq::make(&place, Server::RabbitMq, Kind::Docker).unwrap();
        let variables = environment(server.made());
        for name in ["RABBITMQ_CONFIG_FILE", "RABBITMQ_ENABLED_PLUGINS_FILE", "RABBITMQ_MNESIA_BASE"] {
            let (_, value) = variables.iter().find(|(known, _)| *known == name).unwrap();
            assert!(std::path::Path::new(value).exists(), "{name}={value}");
        }
        let written = std::fs::read_to_string(server.made().file("environment")).unwrap();
        assert!(written.contains("export ERL_EPMD_ADDRESS='127.0.0.1'\n"), "{written}");
    }
}
