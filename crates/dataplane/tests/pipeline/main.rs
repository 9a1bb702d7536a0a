//! The pipeline against the rules of `docs/protocol/05-forwarding.md`, frame by frame, with tables set up by hand.

mod bridged_lan;
mod bridged_vlans;
mod broadcasts;
mod carried;
mod common_entry;
mod dat;
mod dat_carriers;
mod dat_poisoning;
mod fairness;
mod fragments;
mod from_host;
mod gateway;
mod hostile;
mod icmp;
mod isolation;
mod learning;
mod multicast;
mod narrow_paths;
mod neighbours;
mod odd_frames;
mod odd_frames_beside_the_reference;
mod priority;
mod support;
mod to_host;
mod ttvn;
mod unicast;
