//! What was typed. `make bench` types `run`, which starts `vendor` and `limits`; `make scoreboard`
//! types `scoreboard`, `make dialect` types `dialect`.

use std::path::PathBuf;

use crate::Failure;
use crate::contest::Contest;
use crate::limits::Limits;
use crate::scoreboard::Scoreboard;
use crate::size::Size;
use crate::vendor::VendorSettings;

pub(crate) enum Arguments {
    Contest(Contest),
    Vendor(VendorSettings),
    Limits(Limits),
    Scoreboard(Scoreboard),
}

impl Arguments {
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let command =
            given.next().ok_or("name a command: run, vendor, limits, scoreboard or dialect")?;
        let mut options = Vec::new();
        while let Some(option) = given.next() {
            let name = option.strip_prefix("--").ok_or_else(|| format!("what is `{option}`?"))?;
            let value = given.next().ok_or_else(|| format!("--{name} needs a value"))?;
            options.push((name.to_owned(), value));
        }
        let mut options = Options(options);
        let arguments = match command.as_str() {
            "run" => Self::Contest(Contest {
                size: Size::named(&options.text("size", "full"))?,
                rounds: options.number("rounds")?,
                only: options.names("only"),
                unbroken: options.path("unbroken")?,
                node: options.path("node")?,
                out: options.path("out")?,
            }),
            "vendor" => Self::Vendor(VendorSettings {
                agents: options.number("agents")?.ok_or("--agents is missing")?,
                events: options.number("events")?.ok_or("--events is missing")?,
                certificate: options.take("certificate").map(PathBuf::from),
            }),
            "limits" => Self::Limits(Limits {
                dir: options.path("dir")?,
                events: options.number("events")?.ok_or("--events is missing")?,
                raw: options.take("raw"),
            }),
            "scoreboard" | "dialect" => Self::Scoreboard(Scoreboard {
                unbroken: options.path("unbroken")?,
                clients: options.path("clients")?,
                out: options.path("out")?,
                page: options.path("page")?,
                seed: options.number("seed")?.unwrap_or(1),
                jobs: options.number("jobs")?.unwrap_or(1),
                only: options.names("only"),
                is_dialect: command == "dialect",
            }),
            other => return Err(format!("there is no command `{other}`").into()),
        };
        match options.0.first() {
            Some((name, _)) => Err(format!("there is no option --{name}").into()),
            None => Ok(arguments),
        }
    }
}

struct Options(Vec<(String, String)>);

impl Options {
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn names(&mut self, name: &str) -> Option<Vec<String>> {
        Some(self.take(name)?.split(',').map(str::to_owned).collect())
    }

    fn text(&mut self, name: &str, default: &str) -> String {
        self.take(name).unwrap_or_else(|| default.to_owned())
    }

    fn path(&mut self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.take(name).ok_or_else(|| format!("--{name} is missing"))?;
        Ok(PathBuf::from(path))
    }

    fn number(&mut self, name: &str) -> Result<Option<usize>, Failure> {
        let number = self.take(name).map(|text| text.parse());
        number.transpose().map_err(|_| format!("--{name} is no number").into())
    }
}
