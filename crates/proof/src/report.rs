//! What a campaign came to, as tables.

use std::fmt::Write;

use crate::campaign::Summary;
use crate::coverage::{Kind, State};

impl Summary {
    /// The figures of all seeds.
    pub fn figures(&self) -> String {
        format!(
            "{} recoveries in {} runs with {} processes, {} hours of virtual time\n\
             {} recoveries per CPU-minute ({} s on processors)\n\
             {} events made, {} recorded, {} keys gone for good; missing and in the ledger: \
             {} unrecoverable, {} unproven; undetectable: {}\n\
             {} violations\n",
            self.recoveries,
            self.runs,
            self.starts,
            self.virtual_us / 3_600_000_000,
            self.per_cpu_minute(),
            self.cpu_us / 1_000_000,
            self.events.0,
            self.events.1,
            self.forgotten,
            self.missing.1,
            self.missing.0,
            self.missing.2,
            self.violations.len(),
        )
    }

    /// How often each class of faults struck, was seen, and its part of all that were seen.
    pub fn fault_table(&self) -> String {
        let mut text = format!("{:26} {:>9} {:>9} {:>6}\n", "fault", "struck", "fired", "part");
        for (trouble, (struck, fired)) in &self.troubles {
            let part = self.part_of(*fired);
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{:26} {struck:>9} {fired:>9} {part:>5.2}%", trouble.name());
        }
        text
    }

    /// The part of all faults that fired, in percent.
    pub fn part_of(&self, fired: u64) -> f64 {
        let all: u64 = self.troubles.values().map(|(_, fired)| fired).sum();
        if all == 0 { 0.0 } else { fired as f64 * 100.0 / all as f64 }
    }

    /// How often each input came in each phase.
    pub fn coverage_table(&self) -> String {
        let mut text = format!("{:16}", "input");
        for state in State::ALL {
            let _ = write!(text, " {:>12}", state.name());
        }
        for kind in Kind::ALL {
            let _ = write!(text, "\n{:16}", kind.name());
            for state in State::ALL {
                match self.coverage.of(*state, *kind) {
                    0 => text.push_str("            -"),
                    count => {
                        let _ = write!(text, " {count:>12}");
                    }
                }
            }
        }
        text.push('\n');
        text
    }
}
