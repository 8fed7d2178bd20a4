//! `docs/reference/mutants.md`: written by `make mutants`, read by the tests.

use std::fmt::Write;

/// One mutant's death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub mutant: String,
    pub guard: String,
    pub rule: String,
    pub killer: String,
    pub invariant: String,
    /// Steps of the counterexample, and the states seen before it; a story has neither.
    pub steps: Option<usize>,
    pub states: Option<usize>,
}

/// The part that the log's own mutants write.
const THE_LOG: &str = "## The log";

const HEAD: &str = "\
# Mutants

A check that cannot fail shows nothing. So each guard of the recovery machine can be taken out, in a
build that no release contains (`--features proof` of `unbroken-core`), and something has to notice.
This is what noticed: an exhaustive search of one of the small worlds (`crates/core/tests/worlds`),
or a story in virtual time (`crates/core/tests/scenes`); and which invariant was broken, by its name
in [ARCHITECTURE.md](../../ARCHITECTURE.md#invariants-by-name). With every guard in its place the
same searches and stories break none. Searches go depth first and stop at the first violation, so
the steps are those of *a* counterexample and not of the shortest.

`make mutants` makes the tables anew and fails if a mutant lives. The quick ones die again in the
tests of every commit, and have to die as it says here. The rules are those of recovery: R1 dedup,
R2 what a resume asks from, R3 the rungs, R4 proofs, R5 which snapshot is believed, R6 witnesses,
R7 install, R8 pages of different moments, R9 the ledger, R10 holes and order, R11 epochs, R12
audits, R13 hand-overs, R14 vendors that serve only the head, R15 epochs that nobody names, R16
restarts.

## The machine

| mutant | guard | rule | killed by | invariant | steps | states |
| --- | --- | --- | --- | --- | --- | --- |
";

/// The document, with what `before` says of the log.
pub fn render(rows: &[Row], before: &str) -> String {
    let mut text = HEAD.to_owned();
    let number = |number: Option<usize>| number.map_or("–".to_owned(), |n| n.to_string());
    for row in rows {
        let Row { mutant, guard, rule, killer, invariant, steps, states } = row;
        let (steps, states) = (number(*steps), number(*states));
        let _ = writeln!(
            text,
            "| `{mutant}` | {guard} | {rule} | {killer} | {invariant} | {steps} | {states} |"
        );
    }
    let searched = rows.iter().filter(|row| row.states.is_some()).count();
    let _ = writeln!(
        text,
        "\n{} mutants: {searched} killed by an exhaustive search, {} by a story, none alive.",
        rows.len(),
        rows.len() - searched
    );
    if let Some(at) = before.find(THE_LOG) {
        text.push('\n');
        text.push_str(&before[at..]);
    }
    text
}

/// The machine's rows of a document.
pub fn rows_of(text: &str) -> Vec<Row> {
    let ours = text.split(THE_LOG).next().unwrap_or_default();
    let lines = ours.lines().filter(|line| line.starts_with("| `"));
    lines.map(row_of).collect()
}

fn row_of(line: &str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let cell = |index: usize| cells.get(index).copied().unwrap_or_default().to_owned();
    Row {
        mutant: cell(0).trim_matches('`').to_owned(),
        guard: cell(1),
        rule: cell(2),
        killer: cell(3),
        invariant: cell(4),
        steps: cell(5).parse().ok(),
        states: cell(6).parse().ok(),
    }
}
