//! Who plays.

use std::ffi::OsString;
use std::path::Path;

/// A client of `bench/clients`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entrant {
    /// Its folder.
    pub(super) name: &'static str,
    /// What it is tested against, by its name on the command line.
    pub(super) vendor: &'static str,
    /// What it is, in a few words.
    pub(super) is: &'static str,
    /// What runs it.
    program: &'static str,
    /// Its script in its folder.
    script: &'static str,
    /// Unbroken stands between it and the vendor, and speaks the vendor's dialect to it.
    pub(super) is_through: bool,
}

/// The folder of what puts Unbroken between a client and its vendor.
const RELAY: &str = "relay";

/// The product's own name among them.
pub(super) const UNBROKEN: &str = "unbroken";

/// Every client, those of one vendor together, the product last.
pub(super) const ENTRANTS: &[Entrant] = &[
    Entrant {
        name: "node-reconnect",
        vendor: "cxone",
        is: "Node, `ws`: wait 2 s, reconnect, subscribe",
        program: "node",
        script: "client.mjs",
        is_through: false,
    },
    Entrant {
        name: "node-rest-first",
        vendor: "cxone",
        is: "Node, `ws`: baseline by REST, subscribe with its `sequenceId`",
        program: "node",
        script: "client.mjs",
        is_through: false,
    },
    Entrant {
        name: "php",
        vendor: "cxone",
        is: "PHP, Guzzle: anything wrong, start over",
        program: "php",
        script: "client.php",
        is_through: false,
    },
    Entrant {
        name: "python",
        vendor: "cxone",
        is: "Python, `websockets`: reconnect at once, subscribe after the last event seen",
        program: "python3",
        script: "client.py",
        is_through: false,
    },
    Entrant {
        name: UNBROKEN,
        vendor: "cxone",
        is: "`unbroken run`, its log read by `unbroken events --follow`",
        program: "node",
        script: "client.mjs",
        is_through: false,
    },
    Entrant {
        name: "genesys-sdk",
        vendor: "genesys",
        is: "Node, the vendor's SDK and `ws`: the vendor's guide",
        program: "node",
        script: "client.mjs",
        is_through: false,
    },
    Entrant {
        name: UNBROKEN,
        vendor: "genesys",
        is: "`unbroken run` with five topics of each agent, a channel for each topic; the guide's \
             client follows adherence alone",
        program: "node",
        script: "client.mjs",
        is_through: false,
    },
];

/// Who plays for the dialects: each as it is, then behind Unbroken, unmodified.
pub(super) fn pairs() -> Vec<Entrant> {
    let clients = ENTRANTS.iter().filter(|entrant| entrant.name != UNBROKEN);
    clients.flat_map(|entrant| [*entrant, entrant.through()]).collect()
}

impl Entrant {
    /// The same client behind Unbroken.
    pub(super) fn through(self) -> Self {
        Self { is_through: true, ..self }
    }

    /// Its command, where the clients are installed.
    pub(super) fn command(&self, clients: &Path) -> Vec<OsString> {
        let own = [self.program.into(), clients.join(self.name).join(self.script).into()];
        let relay = clients.join(RELAY).join("through.mjs");
        let before: Vec<OsString> =
            if self.is_through { vec!["node".into(), relay.into()] } else { Vec::new() };
        before.into_iter().chain(own).collect()
    }

    /// What its files are called: the product plays for each vendor.
    pub(super) fn label(&self) -> String {
        let through = if self.is_through { "-through" } else { "" };
        format!("{}-{}{through}", self.vendor, self.name)
    }

    /// The head of its column.
    pub(super) fn title(&self) -> String {
        let through = if self.is_through { " through Unbroken" } else { "" };
        format!("`{}`{through}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_plays_and_the_product_plays_last_for_each_vendor() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/clients");
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let is_folder = entry.file_type().unwrap().is_dir();
            let name = entry.file_name().into_string().unwrap();
            let plays = name == RELAY || ENTRANTS.iter().any(|one| one.name == name);
            assert!(!is_folder || plays, "{name}");
        }
        for vendor in ["cxone", "genesys"] {
            let last = ENTRANTS.iter().rfind(|one| one.vendor == vendor);
            assert_eq!(last.unwrap().name, UNBROKEN);
        }
    }

    #[test]
    fn behind_unbroken_a_client_s_own_command_is_the_same() {
        for pair in pairs().chunks(2) {
            let [direct, through] = pair else { panic!("{pair:?}") };
            let clients = Path::new("clients");
            assert!(through.command(clients).ends_with(&direct.command(clients)));
            assert_ne!(direct.label(), through.label());
        }
    }
}
