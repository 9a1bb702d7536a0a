//! Plots: a bar for each peer with its median, and a line from the least to the most.

use std::fmt::Write as _;

use super::figures::{Figures, Spread, number};

/// Width of a picture, and of its parts, in pixels.
const WIDTH: f64 = 720.0;
const NAMES: f64 = 120.0;
const VALUES: f64 = 90.0;
/// Height of a row, and of the heading.
const ROW: f64 = 26.0;
const HEAD: f64 = 34.0;
/// Colours that both light and dark pages show: ours, and the others'.
const OURS: &str = "#3a7ca5";
const OTHERS: &str = "#8a8f98";
const INK: &str = "#767676";

/// The plot of one measure; none if nobody was measured.
pub(super) fn bars(figures: &Figures, measure: &str, subject: &str) -> Option<String> {
    let rows: Vec<(&str, Spread)> = figures
        .peers()
        .into_iter()
        .filter_map(|peer| Some((peer, figures.spread(measure, peer)?)))
        .collect();
    let most = rows.iter().map(|(_, spread)| spread.most).reduce(f64::max)?;
    let scale = if most > 0.0 { (WIDTH - NAMES - VALUES) / most } else { 0.0 };
    let height = HEAD + ROW * rows.len() as f64 + 6.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"{INK}\">\n\
         <title>{0}</title>\n<text x=\"8\" y=\"20\" font-weight=\"bold\">{0}</text>\n",
        escaped(measure)
    );
    for (at, (peer, spread)) in rows.iter().enumerate() {
        let top = HEAD + ROW * at as f64;
        let (middle, base) = (top + ROW / 2.0 - 2.0, top + ROW / 2.0 + 3.0);
        let colour = if *peer == subject { OURS } else { OTHERS };
        let [least, median, most] =
            [spread.least, spread.median, spread.most].map(|value| NAMES + value * scale);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{NAMES:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>\n\
             <path d=\"M{least:.1} {middle:.1}H{most:.1}M{least:.1} {:.1}v8M{most:.1} {:.1}v8\" \
             stroke=\"black\" stroke-width=\"1.5\"/>\n\
             <text x=\"{:.1}\" y=\"{base:.1}\">{}</text>",
            NAMES - 8.0,
            escaped(peer),
            median - NAMES,
            ROW - 6.0,
            middle - 4.0,
            middle - 4.0,
            most.max(median) + 8.0,
            number(spread.median),
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// A file name for a measure: its letters and digits, words joined by dashes.
pub(super) fn file_name(place: &str, measure: &str) -> String {
    let plain: String = format!("{place} {measure}")
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { ' ' })
        .collect();
    format!("{}.svg", plain.split_whitespace().collect::<Vec<_>>().join("-"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        let mut figures = Figures::default();
        for (peer, value) in [("us", 50.0), ("us", 100.0), ("us", 60.0), ("a<b", 20.0)] {
            figures.add("rate, 1/s", peer, value);
        }
        figures
    }

    #[test]
    fn the_longest_line_ends_where_the_values_begin() {
        let svg = bars(&figures(), "rate, 1/s", "us").unwrap();
        let right = WIDTH - VALUES;
        assert!(svg.contains(&format!("H{right:.1}M")), "{svg}");
        // The bar ends at the median: 60 of 100.
        let bar = (right - NAMES) * 0.6;
        assert!(svg.contains(&format!("width=\"{bar:.1}\"")), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 2);
        assert_eq!(svg.matches(OURS).count(), 1);
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let svg = bars(&figures(), "rate, 1/s", "us").unwrap();
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
    }

    #[test]
    fn nothing_measured_gives_no_plot() {
        assert_eq!(bars(&figures(), "something else", "us"), None);
    }

    #[test]
    fn values_of_zero_are_drawn() {
        let mut figures = Figures::default();
        figures.add("loss", "us", 0.0);
        let svg = bars(&figures, "loss", "us").unwrap();
        assert!(svg.contains("width=\"0.0\"") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn file_names_are_plain() {
        assert_eq!(
            file_name("guest", "transit 64 B, one flow, frames/s"),
            "guest-transit-64-b-one-flow-frames-s.svg"
        );
    }
}
