//! Results to test with.

use super::result::{Figures, Finding, Load, Scenario};

/// A scenario with these findings.
pub(super) fn scenario(name: &str, findings: &[(&str, u64)]) -> Scenario {
    let finding =
        |(figure, value): &(&str, u64)| Finding { figure: (*figure).to_owned(), value: *value };
    Scenario {
        name: name.to_owned(),
        error: None,
        is_clean: findings.is_empty(),
        findings: findings.iter().map(finding).collect(),
        figures: Figures { events_due: 500, is_recovered: true, ..Figures::default() },
        load: Load { handshakes: 1, rest_calls: 2, token_calls: 1 },
    }
}
