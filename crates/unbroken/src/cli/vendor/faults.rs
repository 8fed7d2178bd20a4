//! Which faults were asked for.

use std::collections::BTreeSet;

use unbroken_connect::generic::nearest;
use unbroken_sim::Fault;

use super::settings::{numbering, numbering_name};
use crate::cli::args::NumberingArg;
use crate::cli::error::CliError;

/// Faults that are to be in force together.
#[derive(Debug, Clone)]
pub(crate) struct Pairs {
    pub(crate) list: Vec<[Fault; 2]>,
    /// Not each has to be played: as many as there is time for, drawn by the seed.
    pub(crate) is_sample: bool,
}

/// What can be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Palette {
    /// The faults of a CXone-shaped vendor with such numbers.
    Cxone(NumberingArg),
    /// Those of a Genesys-shaped one.
    Genesys,
}

/// The faults of a Genesys-shaped vendor that were asked for, each once.
pub(crate) fn genesys_faults(text: &str) -> Result<Vec<Fault>, CliError> {
    match Palette::Genesys.asked(text)? {
        (faults, None) => Ok(faults),
        (_, Some(_)) => Err(CliError::PairsInDemoOnly),
    }
}

impl Palette {
    /// Every fault that was asked for, each once, and which are to be in force together.
    pub(super) fn asked(self, text: &str) -> Result<(Vec<Fault>, Option<Pairs>), CliError> {
        match text.strip_prefix("pairs") {
            Some("") => {
                let faults = self.listed("all")?;
                let list = all_pairs(&faults);
                Ok((faults, Some(Pairs { list, is_sample: true })))
            }
            Some(list) if list.starts_with(':') => {
                let list = self.pairs(list.trim_start_matches(':'))?;
                let faults: BTreeSet<Fault> = list.iter().flatten().copied().collect();
                Ok((faults.into_iter().collect(), Some(Pairs { list, is_sample: false })))
            }
            _ => Ok((self.listed(text)?, None)),
        }
    }

    /// Every fault that there is, whether it applies or not.
    fn known(self) -> &'static [Fault] {
        match self {
            Self::Cxone(_) => &Fault::ALL,
            Self::Genesys => &Fault::GENESYS,
        }
    }

    /// Events from before the first that was ever held cannot be told from new ones where positions
    /// can only be compared; a flood of them is no promise that anybody could keep.
    fn applies(self, fault: Fault) -> bool {
        let Self::Cxone(declared) = self else { return true };
        let tellable = declared != NumberingArg::Opaque || fault != Fault::HistoryFlood;
        tellable && fault.applies_to(numbering(declared))
    }

    /// `all`, `none`, or a list of names.
    fn listed(self, text: &str) -> Result<Vec<Fault>, CliError> {
        match text {
            "all" => {
                Ok(self.known().iter().copied().filter(|fault| self.applies(*fault)).collect())
            }
            "none" => Ok(Vec::new()),
            list => {
                let mut faults = Vec::new();
                for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    let fault = self.fault(name)?;
                    if !faults.contains(&fault) {
                        faults.push(fault);
                    }
                }
                Ok(faults)
            }
        }
    }

    /// `a+b,c+d`.
    fn pairs(self, text: &str) -> Result<Vec<[Fault; 2]>, CliError> {
        let named = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pairs = named.map(|pair| {
            let not_two = || CliError::NotAPair(pair.to_owned());
            let (one, other) = pair.split_once('+').ok_or_else(not_two)?;
            let pair = [self.fault(one.trim())?, self.fault(other.trim())?];
            if pair[0] == pair[1] { Err(not_two()) } else { Ok(pair) }
        });
        pairs.collect()
    }

    fn fault(self, name: &str) -> Result<Fault, CliError> {
        let names = || self.known().iter().map(|fault| fault.name());
        let found = self.known().iter().copied().find(|fault| fault.name() == name);
        let fault = found.ok_or_else(|| CliError::UnknownFault {
            name: name.to_owned(),
            nearest: nearest(name, names()),
            known: names().collect::<Vec<_>>().join(", "),
        })?;
        match self {
            Self::Cxone(declared) if !self.applies(fault) => Err(CliError::FaultDoesNotApply {
                fault: fault.name(),
                numbering: numbering_name(declared),
            }),
            _ => Ok(fault),
        }
    }
}

/// Any two of them.
fn all_pairs(faults: &[Fault]) -> Vec<[Fault; 2]> {
    let behind = |at: usize| faults.iter().skip(at + 1);
    let pairs = faults.iter().enumerate();
    pairs.flat_map(|(at, one)| behind(at).map(move |other| [*one, *other])).collect()
}
