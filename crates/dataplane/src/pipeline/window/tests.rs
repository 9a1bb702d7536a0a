//! The window of FWD-96, number by number, and against a model that remembers everything.

use super::*;
use proptest::prelude::*;

fn at(millis: u64) -> Instant {
    Instant::from_millis(1_000_000 + millis)
}

fn take(window: &mut Window, now: Instant, seqno: u32) -> Option<Discard> {
    match window.judge(now, SeqNo(seqno)) {
        Ok(judgement) => {
            window.mark(now, SeqNo(seqno), judgement);
            None
        }
        Err(reason) => Some(reason),
    }
}

/// FWD-96, each of its branches at its edges.
#[test]
fn fwd_96_the_window_number_by_number() {
    const DUPLICATE: Option<Discard> = Some(Discard::Duplicate);
    const PROTECTED: Option<Discard> = Some(Discard::Protected);
    /// At ms, number, why it is not taken.
    type Step = (u64, u32, Option<Discard>);
    #[rustfmt::skip]
    let lives: [(&str, &[Step]); 9] = [
        ("the first number may be anything below the jump, 0 too", &[(0, 0, None), (0, 0, DUPLICATE), (0, 1, None)]),
        ("in order", &[(0, 1, None), (0, 2, None), (0, 2, DUPLICATE), (0, 1, DUPLICATE)]),
        ("late, but inside", &[(0, 163, None), (0, 100, None), (0, 100, DUPLICATE), (0, 162, None), (0, 163, DUPLICATE)]),
        ("64 behind is a restart, and one is free; back again is 64 ahead, which is none", &[(0, 200, None), (1, 136, None), (2, 200, None)]),
        ("63 ahead shifts", &[(0, 10, None), (0, 73, None), (0, 10, DUPLICATE), (0, 11, None)]),
        ("64 ahead starts over, without protection", &[(0, 10, None), (0, 74, None), (0, 11, None), (0, 74, DUPLICATE)]),
        ("65535 ahead is not a restart, 65536 is", &[(0, 65_535, None), (0, 131_071, None), (1, 131_070 + 65_537, PROTECTED)]),
        ("two restarts within 30 s", &[(0, 1 << 20, None), (30_000, 5, PROTECTED), (30_001, 5, None), (30_002, 5, DUPLICATE)]),
        ("across the wrap", &[(0, u32::MAX, None), (0, 0, None), (0, u32::MAX, DUPLICATE), (0, u32::MAX - 5, None), (0, 62, None)]),
    ];
    for (because, life) in lives {
        let mut window = Window::new(1);
        for (millis, seqno, expected) in life {
            assert_eq!(take(&mut window, at(*millis), *seqno), *expected, "{because}: {seqno}");
        }
    }
}

proptest! {
    /// Whatever comes in whatever order: nothing is taken twice within one window's reach, and what is ahead by less than
    /// a jump is always taken.
    #[test]
    fn fwd_96_no_number_is_taken_twice(steps in prop::collection::vec(-70i32..70, 1..300)) {
        let mut window = Window::new(1);
        let mut last = 1_000_000u32;
        take(&mut window, at(0), last);
        let mut taken = vec![last];
        for step in steps {
            let seqno = last.wrapping_add_signed(step);
            let verdict = take(&mut window, at(1), seqno);
            if step <= -64 {
                prop_assert_eq!(verdict, Some(Discard::Protected));
                continue;
            }
            prop_assert_eq!(verdict.is_some(), taken.contains(&seqno));
            if step >= 64 {
                // The window starts over: what was seen before is out of reach or forgotten.
                taken.clear();
            }
            taken.push(seqno);
            if step > 0 {
                last = seqno;
            }
        }
    }
}
