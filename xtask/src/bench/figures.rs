//! What was measured: samples, and the median and spread of those that belong together.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// One measurement. A run inside a guest hands its samples out as JSON lines.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Sample {
    /// What was measured, with its unit behind a comma.
    pub(super) measure: String,
    /// On whom.
    pub(super) peer: String,
    /// The value.
    pub(super) value: f64,
}

/// All samples of a run in the order in which they were taken, and who was left out.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Figures {
    /// The machine: kernel and processor.
    pub(super) machine: String,
    /// The samples.
    pub(super) samples: Vec<Sample>,
    /// Peers and measures that are missing, each with the reason.
    pub(super) skipped: Vec<String>,
}

impl Figures {
    /// Adds a sample.
    pub(super) fn add(&mut self, measure: impl Into<String>, peer: &str, value: f64) {
        self.samples.push(Sample { measure: measure.into(), peer: peer.to_owned(), value });
    }

    /// Notes why measures of a peer are missing, each reason once.
    pub(super) fn skip_if_failed(&mut self, peer: &str, done: Result<()>) {
        let Err(error) = done else { return };
        let reason = format!("{peer}: {error:#}").trim().replace('\n', " | ");
        if !self.skipped.contains(&reason) {
            self.skipped.push(reason);
        }
    }

    /// The measures, each once, in the order of their first samples.
    pub(super) fn measures(&self) -> Vec<&str> {
        first_seen(self.samples.iter().map(|sample| sample.measure.as_str()))
    }

    /// The peers, each once, in the order of their first samples.
    pub(super) fn peers(&self) -> Vec<&str> {
        first_seen(self.samples.iter().map(|sample| sample.peer.as_str()))
    }

    /// The spread of one measure on one peer, if it was taken.
    pub(super) fn spread(&self, measure: &str, peer: &str) -> Option<Spread> {
        let values = self.samples.iter().filter(|one| one.measure == measure && one.peer == peer);
        Spread::of(&values.map(|sample| sample.value).collect::<Vec<_>>())
    }

    /// The median of one measure on one peer, if it was taken.
    pub(super) fn median(&self, measure: &str, peer: &str) -> Option<f64> {
        self.spread(measure, peer).map(|spread| spread.median)
    }
}

fn first_seen<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut places = BTreeMap::new();
    let mut seen = Vec::new();
    for name in names {
        places.entry(name).or_insert_with(|| seen.push(name));
    }
    seen
}

/// Median, least and most of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// The one in the middle; of an even number the mean of the two.
    pub(super) median: f64,
    /// The least.
    pub(super) least: f64,
    /// The most.
    pub(super) most: f64,
}

impl Spread {
    /// Of these values, if there are any.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let median = match sorted.len() % 2 {
            1 => upper,
            _ => (sorted.get(middle - 1)? + upper) / 2.0,
        };
        Some(Self { median, least, most })
    }
}

/// The value below which `share` (0 to 1) of the values lie, by the nearest rank.
pub(super) fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// A number with three significant digits, thousands apart.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 || size == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut apart = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            apart.push(',');
        }
        apart.push(digit);
    }
    match rest {
        Some(rest) => format!("{apart}.{rest}"),
        None => apart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(
            Spread::of(&[3.0, 1.0, 2.0]),
            Some(Spread { median: 2.0, least: 1.0, most: 3.0 })
        );
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 9.0]).unwrap().median, 3.0);
        assert_eq!(Spread::of(&[5.0]).unwrap().median, 5.0);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=1000).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), Some(500.0));
        assert_eq!(percentile(&values, 0.99), Some(990.0));
        assert_eq!(percentile(&values, 0.999), Some(999.0));
        assert_eq!(percentile(&[7.0], 0.999), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn numbers_are_short_and_readable() {
        for (value, text) in [
            (1_234_567.8, "1,234,568"),
            (999.96, "1,000"),
            (123.4, "123"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (0.1234, "0.123"),
            (0.0, "0.00"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn samples_are_grouped_by_measure_and_peer() {
        let mut figures = Figures::default();
        for (measure, peer, value) in
            [("b", "x", 1.0), ("a", "x", 5.0), ("b", "y", 2.0), ("b", "x", 3.0)]
        {
            figures.add(measure, peer, value);
        }
        assert_eq!(figures.measures(), ["b", "a"]);
        assert_eq!(figures.peers(), ["x", "y"]);
        assert_eq!(figures.median("b", "x"), Some(2.0));
        assert_eq!(figures.median("a", "y"), None);
        let text = serde_json::to_string(&figures).unwrap();
        assert_eq!(serde_json::from_str::<Figures>(&text).unwrap(), figures);
    }
}
