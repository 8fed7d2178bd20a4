//! The page of the dialects: each client beside itself behind Unbroken.

use std::fmt::Write;

use super::page::{tables, vendors};
use super::result::Outcome;

const HEAD: &str = "\
# The same clients through Unbroken

Every scenario of `unbroken conformance` with each client of
[bench/clients](../../bench/clients/README.md) as it is, and with Unbroken between both:
other addresses, other credentials, not a line of the client changed
([the dialects](../guides/dialect.md)). `make dialect` makes this page. What the cells say:
[the scoreboard](scoreboard.md).

What is between them does not make a client better than it is. A client that starts over with the
baseline when it was killed does not ask for what happened meanwhile, and nobody tells it: its state
is right, and events are missing. One that keeps agents who have left keeps them. One that names the
number of the last event it has, and one that names nothing at all, are told everything.

Handshakes, REST calls and tokens are what the vendor was asked for.
";

/// The whole page.
pub(super) fn dialect_page(outcomes: &[Outcome], versions: &[String]) -> String {
    let mut text = HEAD.to_owned();
    for vendor in vendors(outcomes) {
        let _ = write!(text, "\n## Against {vendor}\n");
        let of = outcomes.iter().filter(|outcome| outcome.entrant.vendor == vendor);
        let of: Vec<&Outcome> = of.collect();
        for pair in of.chunks(2) {
            if let Some(first) = pair.first() {
                let _ = write!(text, "\n### `{}`\n\n{}.\n\n", first.entrant.name, first.entrant.is);
            }
            tables(pair, &mut text);
        }
    }
    let seed = outcomes.first().map_or(0, |outcome| outcome.suite.seed);
    let _ =
        write!(text, "\n## Made with\n\n`make dialect SEED={seed}`. {}.\n", versions.join(", "));
    text
}

#[cfg(test)]
mod tests {
    use super::super::entrant::pairs;
    use super::super::fixture::scenario;
    use super::super::result::Suite;
    use super::*;

    #[test]
    fn each_client_stands_beside_itself() {
        let outcome = |at: usize, findings: &[(&str, u64)]| Outcome {
            entrant: pairs()[at],
            suite: Suite { seed: 3, scenarios: vec![scenario("cut", findings)] },
        };
        let lossy = [("lost", 3), ("uncovered", 5)];
        let page = dialect_page(&[outcome(0, &lossy), outcome(1, &[])], &["Node v20".to_owned()]);
        for line in [
            "## Against cxone",
            "### `node-reconnect`",
            "| scenario | `node-reconnect` | `node-reconnect` through Unbroken |",
            "| `cut` | 5 missing | **clean** |",
            "| **clean scenarios** | **0 of 1** | **1 of 1** |",
        ] {
            assert!(page.lines().any(|known| known == line), "{line}\n{page}");
        }
        assert!(page.ends_with("`make dialect SEED=3`. Node v20.\n"));
    }
}
