//! Who plays.

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
}

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
    },
    Entrant {
        name: "node-rest-first",
        vendor: "cxone",
        is: "Node, `ws`: baseline by REST, subscribe with its `sequenceId`",
        program: "node",
        script: "client.mjs",
    },
    Entrant {
        name: "php",
        vendor: "cxone",
        is: "PHP, Guzzle: anything wrong, start over",
        program: "php",
        script: "client.php",
    },
    Entrant {
        name: "python",
        vendor: "cxone",
        is: "Python, `websockets`: reconnect at once, subscribe after the last event seen",
        program: "python3",
        script: "client.py",
    },
    Entrant {
        name: UNBROKEN,
        vendor: "cxone",
        is: "`unbroken run`, its log read by `unbroken events --follow`",
        program: "node",
        script: "client.mjs",
    },
    Entrant {
        name: "genesys-sdk",
        vendor: "genesys",
        is: "Node, the vendor's SDK and `ws`: the vendor's guide",
        program: "node",
        script: "client.mjs",
    },
    Entrant {
        name: UNBROKEN,
        vendor: "genesys",
        is: "`unbroken run` with five topics of each agent, a channel for each topic; the guide's \
             client follows adherence alone",
        program: "node",
        script: "client.mjs",
    },
];

impl Entrant {
    /// Its command, where the clients are installed.
    pub(super) fn command(&self, clients: &Path) -> [std::ffi::OsString; 2] {
        [self.program.into(), clients.join(self.name).join(self.script).into()]
    }

    /// What its files are called: the product plays for each vendor.
    pub(super) fn label(&self) -> String {
        format!("{}-{}", self.vendor, self.name)
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
            assert!(!is_folder || ENTRANTS.iter().any(|one| one.name == name), "{name}");
        }
        for vendor in ["cxone", "genesys"] {
            let last = ENTRANTS.iter().rfind(|one| one.vendor == vendor);
            assert_eq!(last.unwrap().name, UNBROKEN);
        }
    }
}
