//! The figures as Markdown tables.

use std::fmt::Write as _;

use super::figures::{Figures, number};

/// A table with a row for each measure and a column for each peer: median (least–most).
pub(super) fn medians(figures: &Figures) -> String {
    let peers = figures.peers();
    let mut text = format!("| median (least–most) | {} |\n", peers.join(" | "));
    let _ = writeln!(text, "| --- |{}", " --- |".repeat(peers.len()));
    for measure in figures.measures() {
        let _ = write!(text, "| {measure} |");
        for peer in &peers {
            let cell = figures.spread(measure, peer).map_or(String::new(), |spread| {
                let [median, least, most] = [spread.median, spread.least, spread.most].map(number);
                format!("{median} ({least}–{most})")
            });
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text
}

/// A table of the medians as ratios: `subject`'s divided by each peer's.
pub(super) fn ratios(figures: &Figures, subject: &str) -> String {
    let mut peers = figures.peers();
    peers.retain(|peer| *peer != subject);
    let mut text = format!("| {subject} divided by | {} |\n", peers.join(" | "));
    let _ = writeln!(text, "| --- |{}", " --- |".repeat(peers.len()));
    for measure in figures.measures() {
        let Some(own) = figures.median(measure, subject) else { continue };
        let _ = write!(text, "| {measure} |");
        for peer in &peers {
            let ratio = figures.median(measure, peer).filter(|other| *other > 0.0);
            let _ = write!(text, " {} |", ratio.map_or(String::new(), |other| number(own / other)));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        let mut figures = Figures::default();
        for (peer, value) in [("a", 100.0), ("b", 50.0), ("a", 300.0), ("a", 200.0)] {
            figures.add("rate", peer, value);
        }
        figures.add("only b", "b", 1.0);
        figures
    }

    #[test]
    fn a_row_holds_median_and_spread_of_each_peer() {
        let text = medians(&figures());
        let rows: Vec<_> = text.lines().collect();
        assert_eq!(rows[0], "| median (least–most) | a | b |");
        assert_eq!(rows[2], "| rate | 200 (100–300) | 50.0 (50.0–50.0) |");
        assert_eq!(rows[3], "| only b |  | 1.00 (1.00–1.00) |");
    }

    #[test]
    fn ratios_are_of_medians() {
        let text = ratios(&figures(), "a");
        assert!(text.ends_with("| --- | --- |\n| rate | 4.00 |\n"), "{text}");
    }
}
