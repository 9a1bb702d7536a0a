//! The summary at the end of `cargo xtask test`.

use super::job::Outcome;

/// A tier that has run.
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: &'static str,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// How long it took.
    pub(crate) seconds: f64,
}

impl Row {
    /// What follows the tier's name on its own line.
    pub(crate) fn live_line(&self) -> String {
        let counts = self.outcome.counts;
        let word = match counts {
            _ if counts.failed > 0 => "FAILED",
            _ if counts.passed == 0 && counts.skipped > 0 => "skipped",
            _ => "ok",
        };
        format!("{word:8} {}, {:.1} s", counts.line(), self.seconds)
    }
}

/// Prints the table.
pub(crate) fn print(rows: &[Row]) {
    print!("{}", text(rows));
}

fn text(rows: &[Row]) -> String {
    let mut text = format!(
        "\n{:13} {:>7} {:>7} {:>7} {:>8}  why skipped\n",
        "tier", "passed", "failed", "skipped", "seconds"
    );
    for row in rows {
        let counts = row.outcome.counts;
        let mut skips = row.outcome.skips.iter();
        text += &format!(
            "{:13} {:7} {:7} {:7} {:8.1}  {}",
            row.name,
            counts.passed,
            counts.failed,
            counts.skipped,
            row.seconds,
            skips.next().map_or("", String::as_str)
        );
        text.truncate(text.trim_end().len());
        text.push('\n');
        for skip in skips {
            text += &format!("{:47}  {skip}\n", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Counts;

    #[test]
    fn every_reason_stands_in_the_table() {
        let counts = Counts { passed: 3, failed: 0, skipped: 2 };
        let skips = vec!["no netem".to_owned(), "no VLAN".to_owned()];
        let rows = [
            Row { name: "lint", outcome: Outcome::passed(), seconds: 2.25 },
            Row {
                name: "netns",
                outcome: Outcome { counts, skips, ..Outcome::default() },
                seconds: 61.0,
            },
        ];
        assert_eq!(
            text(&rows),
            "\n\
             tier           passed  failed skipped  seconds  why skipped\n\
             lint                1       0       0      2.2\n\
             netns               3       0       2     61.0  no netem\n\
             \x20                                                no VLAN\n"
        );
        assert_eq!(rows[1].live_line(), "ok       3 passed, 0 failed, 2 skipped, 61.0 s");
    }
}
