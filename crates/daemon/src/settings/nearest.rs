//! "Did you mean": the known word that a mistyped one is nearest to.

/// The word of `known` that differs least from `word`, if it differs little enough to be what was meant: by no more than
/// a third of its letters.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // Hyphens and underscores are the same slip of a finger.
    let word = word.replace('-', "_").to_lowercase();
    known
        .iter()
        .map(|candidate| (distance(&word, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3).max(1))
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, left out, replaced or swapped with the next to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().collect();
    let width = to.len() + 1;
    let mut table = vec![0; (from.len() + 1) * width];
    for i in 0..=from.len() {
        for j in 0..width {
            table[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(from[i - 1] != to[j - 1]);
                let mut best = (table[(i - 1) * width + j] + 1)
                    .min(table[i * width + j - 1] + 1)
                    .min(table[(i - 1) * width + j - 1] + same);
                if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                    best = best.min(table[(i - 2) * width + j - 2] + 1);
                }
                best
            };
        }
    }
    table[table.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_nonsense_is_not() {
        let known = ["orig_interval", "hop_penalty", "mesh", "mtu"];
        #[rustfmt::skip]
        let rows = [
            ("orig_intervall", Some("orig_interval"), "a letter too many"),
            ("orig-interval", Some("orig_interval"), "the other line"),
            ("originterval", Some("orig_interval"), "no line"),
            ("hop_penlaty", Some("hop_penalty"), "swapped"),
            ("MTU", Some("mtu"), "capitals"),
            ("msh", Some("mesh"), "left out"),
            ("colour", None, "nothing like it"),
            ("", None, "nothing"),
        ];
        for (word, expected, because) in rows {
            assert_eq!(nearest(word, &known), expected, "{word}: {because}");
        }
    }
}
