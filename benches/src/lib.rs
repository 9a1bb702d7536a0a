//! What the benches share.

use criterion::Criterion;
use std::time::Duration;

/// Measures a job beside a named peer that does the same job another way, in the same run, and prints their ratio: that holds
/// on other machines, too. Each side does the job as often as it is told and says how long that took.
pub fn beside(
    c: &mut Criterion,
    job: &str,
    mut ours: impl FnMut(u64) -> Duration,
    peer: &str,
    mut theirs: impl FnMut(u64) -> Duration,
) {
    let mut measure = |name: &str, run: &mut dyn FnMut(u64) -> Duration| {
        let mut best = f64::INFINITY;
        c.bench_function(name, |b| {
            b.iter_custom(|count| {
                let took = run(count);
                best = best.min(took.as_secs_f64() * 1e9 / count as f64);
                took
            });
        });
        best
    };
    let our_best = measure(job, &mut ours);
    let their_best = measure(&format!("{job}: {peer}"), &mut theirs);
    println!(
        "{job}: {our_best:.0} ns; {peer}: {their_best:.0} ns; ratio {:.2}\n",
        our_best / their_best
    );
}
