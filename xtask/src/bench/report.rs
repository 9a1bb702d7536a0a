//! The section of docs/performance.md that a run fills, and its plots.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::chain::Kind;
use super::figures::Figures;
use super::transit::{COST, NO_DROP, rate};
use super::{hosts, svg, table, targets};

/// Between these lines stands what a run has written.
const BEGIN: &str = "<!-- written by `cargo xtask bench --write`: begin -->";
const END: &str = "<!-- end -->";
/// Folder of the plots below `docs`.
const PLOTS: &str = "plots";

/// One place where everything was measured.
pub(super) struct Place<'a> {
    /// Its name in headings.
    pub(super) name: &'a str,
    /// Its name in file names.
    pub(super) short: &'a str,
    /// What was measured there.
    pub(super) figures: &'a Figures,
}

/// Writes the section and the plots below the folder `docs`.
pub(super) fn write(docs: &Path, command: &str, places: &[Place<'_>; 3]) -> Result<()> {
    let page = docs.join("performance.md");
    let text =
        fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let folder = docs.join(PLOTS);
    fs::create_dir_all(&folder)?;
    let mut plots = Vec::new();
    for place in places {
        for measure in plotted() {
            let Some(plot) = svg::bars(place.figures, &measure, Kind::Noctule.name()) else {
                continue;
            };
            let name = svg::file_name(place.short, &measure);
            fs::write(folder.join(&name), plot)?;
            plots.push(format!("![{measure}, {}]({PLOTS}/{name})", place.name));
        }
    }
    let section = section(command, places, &plots);
    let text = replaced(&text, &section)
        .with_context(|| format!("{} lacks the lines\n{BEGIN}\n{END}", page.display()))?;
    fs::write(&page, text).with_context(|| format!("cannot write {}", page.display()))
}

/// What is worth a picture.
fn plotted() -> Vec<String> {
    vec![
        rate(64, 1, 1),
        rate(64, 2, 1),
        NO_DROP.to_owned(),
        COST.to_owned(),
        hosts::tcp(1, 1),
        hosts::tcp(3, 1),
        hosts::round_trip("50", "idle"),
    ]
}

fn section(command: &str, places: &[Place<'_>; 3], plots: &[String]) -> String {
    let mut text = format!("`{command}`\n\n");
    let [here, guest, counted] = places;
    let _ = writeln!(text, "{}", targets::table(here.figures, guest.figures, counted.figures));
    for place in places {
        let figures = place.figures;
        let _ = writeln!(text, "### On {}\n\n{}\n", place.name, figures.machine);
        if !figures.samples.is_empty() {
            let _ = writeln!(text, "{}", table::medians(figures));
            let _ = writeln!(text, "{}", table::ratios(figures, Kind::Noctule.name()));
        }
        for line in &figures.skipped {
            let _ = writeln!(text, "SKIPPED: {line}\n");
        }
    }
    if !plots.is_empty() {
        let _ = writeln!(text, "{}\n", plots.join("\n"));
    }
    text
}

/// The page with another section between the two lines.
fn replaced(page: &str, section: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{section}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_lines_is_replaced() {
        let page = format!("# Title\n\n{BEGIN}\nold\n{END}\n\n## More\n");
        let new = replaced(&page, "new\n").unwrap();
        assert_eq!(new, format!("# Title\n\n{BEGIN}\n\nnew\n{END}\n\n## More\n"));
        // Once more gives the same.
        assert_eq!(replaced(&new, "new\n").unwrap(), new);
        assert_eq!(replaced("# No such lines", "new"), None);
        assert_eq!(replaced(&format!("{END} {BEGIN}"), "new"), None);
    }

    #[test]
    fn a_section_names_the_command_the_machine_and_who_is_missing() {
        let mut here = Figures { machine: "Linux 9.9, 2 × X".to_owned(), ..Figures::default() };
        here.add(rate(64, 1, 1), "noctule", 1.0);
        let guest = Figures { skipped: vec!["guest: no QEMU".to_owned()], ..Figures::default() };
        let places = [
            Place { name: "this kernel", short: "here", figures: &here },
            Place { name: "the guest", short: "guest", figures: &guest },
            Place { name: "the counted guest", short: "counted", figures: &guest },
        ];
        let text = section("cargo xtask bench", &places, &["![a](b.svg)".to_owned()]);
        for part in
            ["`cargo xtask bench`", "Linux 9.9, 2 × X", "SKIPPED: guest: no QEMU", "![a](b.svg)"]
        {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn the_page_has_a_place_for_the_section() {
        let page = crate::paths::project().join("docs/performance.md");
        assert!(replaced(&fs::read_to_string(page).unwrap(), "").is_some());
    }
}
