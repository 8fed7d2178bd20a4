//! A vendor that pushes, as meant.

use unbroken_sim::{Dialect, Fault, Numbering, Settings, Vendor, genesys};

use super::faults::{Pairs, Palette};
use crate::cli::args::{NumberingArg, VendorArgs, VendorKind};
use crate::cli::error::CliError;
use crate::cli::judgement::Naming;

/// Genesys Cloud's documented times are divided by so much: heartbeats come each 250 ms, a close is
/// announced half a second ahead.
pub(super) const SCALE: u64 = 120;

/// How far that vendor's analytics lag behind, in milliseconds, when no fault makes it longer.
const HISTORY_LAG_MS: u64 = 250;

/// How long a channel of that vendor lives, in milliseconds: short enough for each to be handed
/// over several times in a minute, long enough for not being all that happens.
const CHANNEL_LIFE_MS: u64 = 20_000;

/// The simulated vendor, as meant.
#[derive(Debug, Clone)]
pub(crate) struct VendorSettings {
    pub(crate) dialect: Dialect,
    /// What the client is told of the vendor's numbers.
    pub(crate) declared: NumberingArg,
    /// Every fault that was asked for, each once.
    pub(crate) faults: Vec<Fault>,
    /// Which of them are to be in force together; `None`: each is played alone.
    pub(crate) pairs: Option<Pairs>,
}

impl VendorSettings {
    /// From what was typed.
    pub(crate) fn of(kind: VendorKind, args: &VendorArgs) -> Result<Self, CliError> {
        let (dialect, palette) = match kind {
            VendorKind::Genesys if args.numbering != NumberingArg::Contiguous => {
                return Err(CliError::NoNumbering);
            }
            VendorKind::Genesys => (genesys(args).into(), Palette::Genesys),
            VendorKind::Cxone | VendorKind::CxonePoll => {
                (cxone(args).into(), Palette::Cxone(args.numbering))
            }
        };
        let (faults, pairs) = palette.asked(&args.faults)?;
        let declared = match kind {
            VendorKind::Genesys => NumberingArg::None,
            _ => args.numbering,
        };
        Ok(Self { dialect, declared, faults, pairs })
    }

    /// For commands that play each fault alone.
    pub(crate) fn without_pairs(kind: VendorKind, args: &VendorArgs) -> Result<Self, CliError> {
        let settings = Self::of(kind, args)?;
        if settings.pairs.is_some() { Err(CliError::PairsInDemoOnly) } else { Ok(settings) }
    }

    /// What every vendor is told.
    pub(crate) fn common(&self) -> &Settings {
        self.dialect.common()
    }

    /// The name of the vendor, as it is asked for.
    pub(crate) fn vendor_name(&self) -> &'static str {
        match self.dialect {
            Dialect::Cxone(_) => "cxone",
            Dialect::Genesys(_) => "genesys",
        }
    }

    /// The name of what is declared.
    pub(crate) fn numbering_name(&self) -> &'static str {
        numbering_name(self.declared)
    }

    /// How to ask for this vendor once more.
    pub(crate) fn typed(&self) -> String {
        match self.dialect {
            Dialect::Cxone(_) => format!("--numbering {}", self.numbering_name()),
            Dialect::Genesys(_) => "--vendor genesys".to_owned(),
        }
    }

    /// What its ledger calls the keys of our streams.
    pub(crate) fn naming(&self) -> Naming {
        match self.dialect {
            Dialect::Cxone(_) => Naming::Plain,
            Dialect::Genesys(_) => Naming::ByKind,
        }
    }

    /// Opens its listener.
    pub(crate) async fn start(&self) -> Result<Vendor, CliError> {
        Ok(Vendor::start(self.dialect.clone()).await?)
    }
}

fn cxone(args: &VendorArgs) -> Settings {
    let numbering = numbering(args.numbering);
    Settings {
        seed: args.seed,
        agents: args.agents,
        rate: f64::from(args.rate),
        numbering,
        // Holes hide a clamp unless the vendor says where it begins; +1 shows it by itself.
        ack_position: numbering == Numbering::Increasing,
        ..Settings::default()
    }
}

/// With the times scaled, and the window of its rate of requests with them; channels live shorter.
fn genesys(args: &VendorArgs) -> genesys::Settings {
    let mut settings = genesys::Settings::default().scaled(SCALE);
    settings.rate_window_ms /= SCALE;
    settings.history_lag_ms = HISTORY_LAG_MS;
    settings.channel_life_ms = CHANNEL_LIFE_MS;
    let Settings { churn_ms, .. } = Settings::default();
    settings.vendor = Settings {
        seed: args.seed,
        agents: args.agents,
        rate: f64::from(args.rate),
        churn_ms,
        ..settings.vendor
    };
    settings
}

/// What the simulator sends: opaque positions are numbers of which the client knows nothing.
pub(super) fn numbering(declared: NumberingArg) -> Numbering {
    match declared {
        NumberingArg::Contiguous => Numbering::Contiguous,
        NumberingArg::Increasing | NumberingArg::Opaque => Numbering::Increasing,
        NumberingArg::None => Numbering::None,
    }
}

pub(super) fn numbering_name(declared: NumberingArg) -> &'static str {
    match declared {
        NumberingArg::Opaque => "opaque",
        _ => numbering(declared).name(),
    }
}
