//! A link that carries less than its MTU says: unicast packets are cut to what passes, broadcasts try their luck.

use crate::support::*;
use noctule_fib::Counter;
use noctule_wire::{Discard, Mac};

fn ben() -> Ben {
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.mtu = 1500);
    ben.change_link(1, |link| link.carries = 1400);
    ben
}

#[test]
fn fwd_113_what_is_longer_than_the_link_carries_is_cut() {
    for (packet_len, parts) in [(1400, 0), (1401, 2), (1500, 2)] {
        // Ten bytes of unicast header before the host's frame.
        let frame = ethernet(CARAS, BENS, 0x88b5, &vec![1; packet_len - 24]);
        let outcome = ben().send(ms(0), &frame);
        assert_eq!(outcome.counted(Counter::FragTx), parts, "{packet_len}");
        assert!(outcome.sent.iter().all(|(iface, sent)| *iface == 1 && sent.len() <= 14 + 1400));
        assert_eq!(outcome.dropped, []);
    }
}

#[test]
fn fwd_19_a_broadcast_goes_as_far_as_the_mtu_allows() {
    for (ip_len, fits) in [(1472, true), (1473, false)] {
        let outcome = ben().send(ms(0), &ethernet(Mac::BROADCAST, BENS, 0x88b5, &vec![1; ip_len]));
        assert_eq!(outcome.dropped, if fits { vec![] } else { vec![Discard::TooLong] });
    }
}
