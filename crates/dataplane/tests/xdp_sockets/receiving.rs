//! What comes in, by which way, what does not, and what is counted.

use crate::ends::{GENERIC, NATIVE, by_lanes, frame, linked, receive};
use crate::netns::isolated;

#[test]
fn frames_of_every_length_arrive_unchanged() {
    isolated("receiving::frames_of_every_length_arrive_unchanged", || {
        let (mut link, mut peer) = linked(NATIVE);
        // More frames than the ring has places, so that it goes round twice.
        for (nth, len) in (14..=1514).enumerate() {
            let sent = frame(nth as u32, len);
            peer.send(&sent);
            let received = receive(&mut link.receiver);
            assert_eq!(received.as_deref(), Some(&*sent), "{len} bytes");
        }
        let counters = link.receiver.counters();
        assert_eq!((counters.frames, by_lanes(&link.receiver)), (1501, 1500));
        assert_eq!(counters.bytes, (14..=1514).sum::<u64>());
        assert_eq!(counters.truncated + counters.malformed + counters.other_host, 0);
    });
}

#[test]
fn frames_of_every_length_arrive_where_the_driver_cannot() {
    isolated("receiving::frames_of_every_length_arrive_where_the_driver_cannot", || {
        let (mut link, mut peer) = linked(GENERIC);
        for (nth, len) in (14..=1514).enumerate() {
            let sent = frame(nth as u32, len);
            peer.send(&sent);
            let received = receive(&mut link.receiver);
            assert_eq!(received.as_deref(), Some(&*sent), "{len} bytes");
        }
    });
}
