//! The simulated vendor as the command line asks for it, and the configuration of a source that
//! speaks to it.

use std::collections::BTreeSet;
use std::path::Path;

use unbroken_connect::generic::nearest;
use unbroken_sim::{Credentials, Fault, Numbering, Settings, Vendor};

use super::args::{NumberingArg, VendorArgs};
use super::error::CliError;

/// The name of the source in the demo's record; its stream is `demo/adherence`.
pub(crate) const SOURCE: &str = "demo";

/// Its one stream.
pub(crate) const STREAM: &str = "demo/adherence";

/// The largest frame that this vendor sends by its rules.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// The variable by which a child process is told the simulated vendor's secret.
pub(crate) const SECRET_VARIABLE: &str = "UNBROKEN_SIM_SECRET";

/// The simulated vendor, as meant.
#[derive(Debug, Clone)]
pub(crate) struct VendorSettings {
    pub(crate) settings: Settings,
    /// What the client is told of the vendor's numbers.
    pub(crate) declared: NumberingArg,
    /// Every fault that was asked for, each once.
    pub(crate) faults: Vec<Fault>,
    /// Which of them are to be in force together; `None`: each is played alone.
    pub(crate) pairs: Option<Pairs>,
}

/// Faults that are to be in force together.
#[derive(Debug, Clone)]
pub(crate) struct Pairs {
    pub(crate) list: Vec<[Fault; 2]>,
    /// Not each has to be played: as many as there is time for, drawn by the seed.
    pub(crate) is_sample: bool,
}

impl VendorSettings {
    /// From what was typed.
    pub(crate) fn of(args: &VendorArgs) -> Result<Self, CliError> {
        let numbering = numbering(args.numbering);
        let settings = Settings {
            seed: args.seed,
            agents: args.agents,
            rate: f64::from(args.rate),
            numbering,
            // Holes hide a clamp unless the vendor says where it begins; +1 shows it by itself.
            ack_position: numbering == Numbering::Increasing,
            ..Settings::default()
        };
        let declared = args.numbering;
        let text = args.faults.as_str();
        let (faults, pairs) = match text.strip_prefix("pairs") {
            Some("") => {
                let faults = faults("all", declared)?;
                (faults.clone(), Some(Pairs { list: all_pairs(&faults), is_sample: true }))
            }
            Some(list) if list.starts_with(':') => {
                let list = pairs(list.trim_start_matches(':'), declared)?;
                let faults: BTreeSet<Fault> = list.iter().flatten().copied().collect();
                (faults.into_iter().collect(), Some(Pairs { list, is_sample: false }))
            }
            _ => (faults(text, declared)?, None),
        };
        Ok(Self { settings, declared, faults, pairs })
    }

    /// For commands that play each fault alone.
    pub(crate) fn without_pairs(args: &VendorArgs) -> Result<Self, CliError> {
        let settings = Self::of(args)?;
        if settings.pairs.is_some() { Err(CliError::PairsInDemoOnly) } else { Ok(settings) }
    }

    /// The name of what is declared.
    pub(crate) fn numbering_name(&self) -> &'static str {
        numbering_name(self.declared)
    }

    /// Opens its listener.
    pub(crate) async fn start(&self) -> Result<Vendor, CliError> {
        Ok(Vendor::start(self.settings.clone()).await?)
    }
}

/// What the simulator sends: opaque positions are numbers of which the client knows nothing.
fn numbering(declared: NumberingArg) -> Numbering {
    match declared {
        NumberingArg::Contiguous => Numbering::Contiguous,
        NumberingArg::Increasing | NumberingArg::Opaque => Numbering::Increasing,
        NumberingArg::None => Numbering::None,
    }
}

fn numbering_name(declared: NumberingArg) -> &'static str {
    match declared {
        NumberingArg::Opaque => "opaque",
        _ => numbering(declared).name(),
    }
}

/// Events from before the first that was ever held cannot be told from new ones where positions can
/// only be compared; a flood of them is no promise that anybody could keep.
fn applies(fault: Fault, declared: NumberingArg) -> bool {
    let tellable = declared != NumberingArg::Opaque || fault != Fault::HistoryFlood;
    tellable && fault.applies_to(numbering(declared))
}

fn faults(text: &str, declared: NumberingArg) -> Result<Vec<Fault>, CliError> {
    let all = Fault::ALL.into_iter().filter(|fault| applies(*fault, declared));
    listed(text, all, |name| fault(name, declared))
}

/// The faults of a Genesys-shaped vendor that were asked for, each once.
pub(crate) fn genesys_faults(text: &str) -> Result<Vec<Fault>, CliError> {
    if text.starts_with("pairs") {
        return Err(CliError::PairsInDemoOnly);
    }
    listed(text, Fault::GENESYS.into_iter(), |name| {
        let found = Fault::GENESYS.into_iter().find(|fault| fault.name() == name);
        found.ok_or_else(|| CliError::UnknownFault {
            name: name.to_owned(),
            nearest: nearest(name, Fault::GENESYS.map(Fault::name)),
            known: Fault::GENESYS.map(Fault::name).join(", "),
        })
    })
}

/// `all`, `none`, or a list of names.
fn listed(
    text: &str,
    all: impl Iterator<Item = Fault>,
    fault: impl Fn(&str) -> Result<Fault, CliError>,
) -> Result<Vec<Fault>, CliError> {
    match text {
        "all" => Ok(all.collect()),
        "none" => Ok(Vec::new()),
        list => {
            let mut faults = Vec::new();
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let fault = fault(name)?;
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
            Ok(faults)
        }
    }
}

/// Any two of them.
fn all_pairs(faults: &[Fault]) -> Vec<[Fault; 2]> {
    let behind = |at: usize| faults.iter().skip(at + 1);
    let pairs = faults.iter().enumerate();
    pairs.flat_map(|(at, one)| behind(at).map(move |other| [*one, *other])).collect()
}

/// `a+b,c+d`.
fn pairs(text: &str, declared: NumberingArg) -> Result<Vec<[Fault; 2]>, CliError> {
    let named = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pairs = named.map(|pair| {
        let not_two = || CliError::NotAPair(pair.to_owned());
        let (one, other) = pair.split_once('+').ok_or_else(not_two)?;
        let pair = [fault(one.trim(), declared)?, fault(other.trim(), declared)?];
        if pair[0] == pair[1] { Err(not_two()) } else { Ok(pair) }
    });
    pairs.collect()
}

fn fault(name: &str, declared: NumberingArg) -> Result<Fault, CliError> {
    let found = Fault::ALL.into_iter().find(|fault| fault.name() == name);
    let fault = found.ok_or_else(|| CliError::UnknownFault {
        name: name.to_owned(),
        nearest: nearest(name, Fault::ALL.map(Fault::name)),
        known: Fault::ALL.map(Fault::name).join(", "),
    })?;
    if applies(fault, declared) {
        Ok(fault)
    } else {
        Err(CliError::FaultDoesNotApply {
            fault: fault.name(),
            numbering: numbering_name(declared),
        })
    }
}

/// Where a configuration takes the simulated vendor's secret from.
pub(crate) enum SecretIn {
    /// The text itself, for this process alone.
    Text,
    /// [`SECRET_VARIABLE`].
    Environment,
}

/// The configuration of a service that records the simulated vendor: the `cxone` profile with this
/// vendor's capabilities, and the demo's timers.
pub(crate) fn configuration(
    vendor: &Vendor,
    declared: NumberingArg,
    data_dir: &Path,
    secret: &SecretIn,
) -> String {
    let Credentials { client_id, client_secret, .. } = &vendor.credentials;
    let secret = match secret {
        SecretIn::Text => format!("\"{client_secret}\""),
        SecretIn::Environment => format!("{{ env = \"{SECRET_VARIABLE}\" }}"),
    };
    let capabilities = capabilities(declared);
    format!(
        r#"data_dir = {data_dir:?}

[[source]]
name = "{SOURCE}"
api = "{api}"
stream = "{stream}"
timing = "demo"

[source.limits]
frame_bytes_max = {FRAME_BYTES_MAX}

[source.profile]
extends = "cxone"
[source.profile.capabilities]
{capabilities}

[source.auth]
grant = "client_credentials"
client_id = "{client_id}"
client_secret = {secret}
"#,
        api = vendor.http_url,
        stream = vendor.ws_url,
    )
}

/// What this vendor can do by its published rules; its cache is at most 400 ms old.
fn capabilities(numbering: NumberingArg) -> &'static str {
    match numbering {
        NumberingArg::Contiguous => {
            "ack = \"plain\"\nsnapshot_staleness_ms_max = 500\nclock_skew_ms_max = 0"
        }
        NumberingArg::Opaque => {
            "position = \"opaque\"\ncoverage = \"filtered\"\nack = \"with_position\"\n\
             snapshot_staleness_ms_max = 500\nclock_skew_ms_max = 0"
        }
        NumberingArg::Increasing => {
            "position = \"increasing\"\ncoverage = \"filtered\"\nack = \"with_position\"\n\
             snapshot_staleness_ms_max = 500\nclock_skew_ms_max = 0"
        }
        NumberingArg::None => {
            "position = \"none\"\nreplay = \"none\"\nack = \"plain\"\nepoch_named = false\n\
             snapshot = \"unpositioned\"\nrest_first = false\n\
             snapshot_staleness_ms_max = 500\nclock_skew_ms_max = 0"
        }
    }
}
