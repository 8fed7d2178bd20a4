//! The simulated vendor as the command line asks for it, and the configuration of a source that
//! speaks to it.

use std::path::Path;

use unbroken_connect::generic::nearest;
use unbroken_sim::{Credentials, Fault, Numbering, Settings, Vendor};

use super::args::{NumberingArg, VendorArgs};
use super::error::CliError;

/// The name of the source in the demo's record; its stream is `demo/adherence`.
pub(crate) const SOURCE: &str = "demo";

/// Its one stream.
pub(crate) const STREAM: &str = "demo/adherence";

/// The variable by which a child process is told the simulated vendor's secret.
pub(crate) const SECRET_VARIABLE: &str = "UNBROKEN_SIM_SECRET";

/// The simulated vendor, as meant.
#[derive(Debug, Clone)]
pub(crate) struct VendorSettings {
    pub(crate) settings: Settings,
    /// What the client is told of the vendor's numbers.
    pub(crate) declared: NumberingArg,
    pub(crate) faults: Vec<Fault>,
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
        Ok(Self { settings, declared, faults: faults(&args.faults, declared)? })
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
    match text {
        "all" => Ok(Fault::ALL.into_iter().filter(|fault| applies(*fault, declared)).collect()),
        "none" => Ok(Vec::new()),
        list => {
            let mut faults = Vec::new();
            for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let fault = fault(name, declared)?;
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
            Ok(faults)
        }
    }
}

fn fault(name: &str, declared: NumberingArg) -> Result<Fault, CliError> {
    let fault: Fault = name.parse().map_err(|_| CliError::UnknownFault {
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
