//! What was typed. `make bench` types `run`, which starts `vendor` and `limits`; `make scoreboard`
//! types `scoreboard`, `make dialect` types `dialect`; `make fanout` types `fanout`, which starts
//! `fanout-house` and `fanout-clients`, and `crowd`, which starts `vendor` and `crowd-clients`.

use std::path::PathBuf;

use crate::Failure;
use crate::contest::Contest;
use crate::crowd::{Crowd, Pairs};
use crate::fanout::{Clients, Fanout, House, Kind};
use crate::limits::Limits;
use crate::scoreboard::Scoreboard;
use crate::size::Size;
use crate::vendor::VendorSettings;

pub(crate) enum Arguments {
    Contest(Contest),
    Vendor(VendorSettings),
    Limits(Limits),
    Scoreboard(Scoreboard),
    Crowd(Pairs),
    CrowdClients(Crowd),
    Fanout(Fanout),
    FanoutHouse(House),
    FanoutClients(Clients),
}

impl Arguments {
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let commands = "run, vendor, limits, scoreboard, dialect, fanout or crowd";
        let command = given.next().ok_or_else(|| format!("name a command: {commands}"))?;
        let mut options = Vec::new();
        while let Some(option) = given.next() {
            let name = option.strip_prefix("--").ok_or_else(|| format!("what is `{option}`?"))?;
            let value = given.next().ok_or_else(|| format!("--{name} needs a value"))?;
            options.push((name.to_owned(), value));
        }
        let mut options = Options(options);
        let arguments = options.arguments(&command)?;
        match options.0.first() {
            Some((name, _)) => Err(format!("there is no option --{name}").into()),
            None => Ok(arguments),
        }
    }
}

struct Options(Vec<(String, String)>);

impl Options {
    fn arguments(&mut self, command: &str) -> Result<Arguments, Failure> {
        Ok(match command {
            "run" => Arguments::Contest(Contest {
                size: Size::named(&self.text("size", "full"))?,
                rounds: self.number("rounds")?,
                only: self.names("only"),
                unbroken: self.path("unbroken")?,
                node: self.path("node")?,
                out: self.path("out")?,
            }),
            "vendor" => Arguments::Vendor(VendorSettings {
                agents: self.needed("agents")?,
                events: self.needed("events")?,
                certificate: self.take("certificate").map(PathBuf::from),
            }),
            "limits" => Arguments::Limits(Limits {
                dir: self.path("dir")?,
                events: self.needed("events")?,
                raw: self.take("raw"),
            }),
            "scoreboard" | "dialect" => Arguments::Scoreboard(Scoreboard {
                unbroken: self.path("unbroken")?,
                clients: self.path("clients")?,
                out: self.path("out")?,
                page: self.path("page")?,
                seed: self.number("seed")?.unwrap_or(1),
                jobs: self.number("jobs")?.unwrap_or(1),
                only: self.names("only"),
                is_dialect: command == "dialect",
            }),
            "crowd" => Arguments::Crowd(Pairs {
                unbroken: self.path("unbroken")?,
                out: self.path("out")?,
                rounds: self.number("rounds")?.unwrap_or(6),
                events: self.number("events")?.unwrap_or(500_000),
                agents: self.number("agents")?.unwrap_or(10_000),
                idle: self.number("idle")?.unwrap_or(10_000),
                live: self.number("live")?.unwrap_or(1_000),
                sinks: self.number("sinks")?.unwrap_or(0),
            }),
            "crowd-clients" => Arguments::CrowdClients(Crowd {
                address: self.text("address", ""),
                token: self.text("token", ""),
                idle: self.needed("idle")?,
                live: self.needed("live")?,
            }),
            "fanout" => Arguments::Fanout(Fanout {
                rounds: self.number("rounds")?.unwrap_or(5),
                crowds: self.numbers("clients", "1,100,1000")?,
                told: self.number("told")?.unwrap_or(2_000_000),
                out: self.path("out")?,
            }),
            "fanout-house" => Arguments::FanoutHouse(House {
                kind: Kind::named(&self.text("kind", ""))?,
                dir: self.path("dir")?,
                events: self.needed("events")?,
                batch: self.needed("batch")?,
                rate: self.needed("rate")?,
            }),
            "fanout-clients" => Arguments::FanoutClients(Clients {
                address: self.text("address", ""),
                token: self.text("token", ""),
                count: self.needed("count")?,
                until: self.needed("until")? as u64,
                out: self.path("out")?,
            }),
            other => return Err(format!("there is no command `{other}`").into()),
        })
    }

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

    fn needed(&mut self, name: &str) -> Result<usize, Failure> {
        self.number(name)?.ok_or_else(|| format!("--{name} is missing").into())
    }

    fn numbers(&mut self, name: &str, default: &str) -> Result<Vec<usize>, Failure> {
        let text = self.text(name, default);
        let numbers = text.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>();
        numbers.map_err(|_| format!("--{name} is no list of numbers").into())
    }
}
