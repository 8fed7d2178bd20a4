//! The page in the documentation.

use std::fmt::Write;

use super::entrant::UNBROKEN;
use super::praise::praise;
use super::result::{Outcome, seconds};
use super::sums::Sums;

const HEAD: &str = "\
# Scoreboard

Every scenario of `unbroken conformance` with every client of
[bench/clients](../../bench/clients/README.md), and with Unbroken through the same interface. The
clients are written by us, in the shapes that users and a vendor's guide describe, and none is
weakened; judge for yourself, each is short. **This page is made by `make scoreboard`**, which also
leaves a report of each client to read in a browser.

What happens in each scenario: `unbroken conformance --list`. How it is judged:
[testing a client](../guides/conformance.md). A cell says what a client did wrong, then how long it
took from the first effect to being up to date for good:

* `missing`: events that it neither told nor wrote down as lost. Some of them the vendor never gave
  anybody: a client is not blamed for that, but for not knowing. `doubled`: told twice;
* `wrong at the end`: agents whose value was another than the vendor's after everything had come to
  rest; `wrong for`: the longest that a value was wrong while the client called itself connected;
* `0.0 s`: no event was late by a tenth of a second; `not back`: it told nothing again until the
  scenario was over, seconds after the last fault.

One run is one run: the same seed plays the same faults, and how many events fall into a gap, and
whose, is a matter of milliseconds. Whether there is a gap is not.
";

const WELL: &str = "
## Where the others do well

";

const WELL_END: &str = "
Said plainly: if a lost minute costs you nothing, you need none of this. A client that subscribes
after the last event it has seen survives most of what a network does, in a hundred lines. It fails
where the vendor does not keep its word, where a refusal ends a position, and where something has to
be known of what was lost. A client that starts over from the top has the right state again, and no
idea of what it missed. What each of them asks of the vendor stands in the sums: Unbroken looks at
the head and at the rows now and then, because it proves what the others believe.
";

/// The whole page.
pub(super) fn page(outcomes: &[Outcome], versions: &[String]) -> String {
    let mut text = HEAD.to_owned();
    let mut well = WELL.to_owned();
    for vendor in vendors(outcomes) {
        let of: Vec<&Outcome> =
            outcomes.iter().filter(|outcome| outcome.entrant.vendor == vendor).collect();
        let _ = write!(text, "\n## Against {vendor}\n\n");
        for outcome in &of {
            let _ = writeln!(text, "* `{}`: {}", outcome.entrant.name, outcome.entrant.is);
        }
        text.push('\n');
        tables(&of, &mut text);
        if let Some(product) = of.iter().find(|outcome| outcome.entrant.name == UNBROKEN) {
            for one in of.iter().filter(|one| one.entrant.name != UNBROKEN) {
                let _ = writeln!(well, "* `{}`: {}.", one.entrant.name, praise(one, product));
            }
        }
    }
    text.push_str(&well);
    text.push_str(WELL_END);
    let seed = outcomes.first().map_or(0, |outcome| outcome.suite.seed);
    let _ = write!(
        text,
        "\n## Made with\n\n`make scoreboard SEED={seed}`: for each client `unbroken conformance \
         --vendor … --seed {seed} -- …`. {}.\n",
        versions.join(", ")
    );
    text
}

/// The sums, and every scenario.
pub(super) fn tables(of: &[&Outcome], text: &mut String) {
    sums(of, text);
    text.push('\n');
    scenarios(of, text);
}

/// The vendors, in order.
pub(super) fn vendors(outcomes: &[Outcome]) -> Vec<&'static str> {
    let mut vendors: Vec<&str> = outcomes.iter().map(|outcome| outcome.entrant.vendor).collect();
    vendors.dedup();
    vendors
}

fn row(cells: impl IntoIterator<Item = String>, text: &mut String) {
    for cell in cells {
        let _ = write!(text, "| {cell} ");
    }
    text.push_str("|\n");
}

fn head(first: &str, of: &[&Outcome], text: &mut String) {
    let names = of.iter().map(|outcome| outcome.entrant.title());
    row(std::iter::once(first.to_owned()).chain(names), text);
    row(std::iter::repeat_n("---".to_owned(), of.len() + 1), text);
}

/// A figure that there may be none of.
fn count(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

fn time(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), seconds)
}

fn sums(of: &[&Outcome], text: &mut String) {
    type Say = fn(&Sums) -> String;
    let sums: Vec<Sums> = of.iter().map(|outcome| Sums::of(outcome)).collect();
    head("in all", of, text);
    let lines: &[(&str, Say)] = &[
        ("**clean scenarios**", |sums| {
            format!("**{} of {}**", sums.clean_count, sums.scenario_count)
        }),
        ("at fault only for not knowing of what was not served again", |sums| {
            sums.unaware_count.to_string()
        }),
        ("events missing", |sums| format!("{} of {}", sums.missing, sums.due)),
        ("events that the vendor would have served again", |sums| sums.lost.to_string()),
        ("events not had, and written down", |sums| sums.written_down.to_string()),
        ("events doubled", |sums| sums.duplicated.to_string()),
        ("events out of order", |sums| sums.out_of_order.to_string()),
        ("agents wrong at the end", |sums| count(sums.stale_keys)),
        ("longest wrong while connected", |sums| time(sums.stale_live_ms_max)),
        ("scenarios not back from", |sums| sums.away_count.to_string()),
        ("handshakes, and most in one scenario", |sums| {
            format!("{} / {}", sums.handshakes, sums.handshakes_max)
        }),
        ("REST calls", |sums| sums.rest_calls.to_string()),
        ("tokens asked for", |sums| sums.token_calls.to_string()),
    ];
    for (what, say) in lines {
        row(std::iter::once((*what).to_owned()).chain(sums.iter().map(say)), text);
    }
    let recovery = sums
        .iter()
        .map(|one| format!("{} / {}", time(one.recovery_ms_median), time(one.recovery_ms_max)));
    row(std::iter::once("time to be back, median / longest".to_owned()).chain(recovery), text);
}

fn scenarios(of: &[&Outcome], text: &mut String) {
    head("scenario", of, text);
    let Some(first) = of.first() else { return };
    for scenario in &first.suite.scenarios {
        let cells = of.iter().map(|outcome| {
            let found = outcome.suite.scenarios.iter().find(|one| one.name == scenario.name);
            found.map_or_else(String::new, |one| {
                let back = match one.figures.recovery_ms {
                    Some(ms) => format!("; {}", seconds(ms)),
                    None if one.figures.is_recovered => String::new(),
                    None => "; not back".to_owned(),
                };
                let words = one.words();
                if one.is_clean { format!("**{words}**{back}") } else { format!("{words}{back}") }
            })
        });
        row(std::iter::once(format!("`{}`", scenario.name)).chain(cells), text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::entrant::ENTRANTS;
    use super::super::fixture::scenario;
    use super::super::result::{Figures, Scenario, Suite};
    use super::*;

    fn outcome(name: &str, scenarios: Vec<Scenario>) -> Outcome {
        let entrant = ENTRANTS.iter().find(|one| one.name == name && one.vendor == "cxone");
        Outcome { entrant: *entrant.unwrap(), suite: Suite { seed: 7, scenarios } }
    }

    fn cut(findings: &[(&str, u64)], recovery_ms: Option<u64>) -> Scenario {
        let figures = Figures {
            events_due: 500,
            lost: 3,
            unrecoverable: 1,
            unproven: 1,
            stale_keys: Some(4),
            stale_live_ms: Some(30),
            recovery_ms,
            is_recovered: recovery_ms.is_some(),
        };
        Scenario { figures, ..scenario("cut", findings) }
    }

    #[test]
    fn the_page_says_who_did_what_in_which_scenario() {
        let lossy = [("lost", 3), ("uncovered", 5), ("duplicated", 2)];
        let page = page(
            &[
                outcome("php", vec![scenario("calm", &[]), cut(&lossy, None)]),
                outcome(UNBROKEN, vec![scenario("calm", &[]), cut(&[], Some(420))]),
            ],
            &["Node v20".to_owned(), "PHP 8".to_owned()],
        );
        for line in [
            "## Against cxone",
            "| scenario | `php` | `unbroken` |",
            "| `calm` | **clean** | **clean** |",
            "| `cut` | 5 missing, 2 doubled; not back | **clean**; 0.4 s |",
            "| **clean scenarios** | **1 of 2** | **2 of 2** |",
            "| at fault only for not knowing of what was not served again | 0 | 0 |",
            "| events missing | 5 of 1000 | 0 of 1000 |",
            "| scenarios not back from | 1 | 0 |",
            "| events that the vendor would have served again | 3 | 3 |",
            "| events not had, and written down | 2 | 2 |",
            "| agents wrong at the end | - | - |",
            "| longest wrong while connected | 0.0 s | 0.0 s |",
            "| time to be back, median / longest | - / - | 0.4 s / 0.4 s |",
            "| handshakes, and most in one scenario | 2 / 1 | 2 / 1 |",
            "| REST calls | 4 | 4 |",
            "* `php`: clean in 1 of 2: `calm`.",
        ] {
            assert!(page.lines().any(|known| known == line), "{line}\n{page}");
        }
        assert!(page.contains("`make scoreboard SEED=7`"));
        assert!(page.ends_with("Node v20, PHP 8.\n"));
        assert!(!page.contains("genesys"), "{page}");
    }

    #[test]
    fn a_scenario_that_a_client_has_not_played_is_an_empty_cell() {
        let page = page(
            &[
                outcome("php", vec![scenario("calm", &[]), cut(&[], Some(90))]),
                outcome(UNBROKEN, vec![scenario("calm", &[])]),
            ],
            &[],
        );
        assert!(page.contains("| `cut` | **clean**; 0.1 s |  |\n"), "{page}");
    }
}
