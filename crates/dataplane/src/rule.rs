//! The rule of [`steering`](crate::pipeline::steering) as steps that a program in the kernel can take: the packet sockets have
//! one of classic BPF, the mesh interface one of eBPF.

use crate::pipeline::steering::{at, is};

/// Where a program goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum To {
    /// With the next step.
    Next,
    /// The frame is the first worker's.
    First,
    /// The hash is complete.
    Finish,
    /// At the inner frame of a packet.
    Inner,
    /// At the header of a fragment.
    Fragment,
    Untagged,
    Ipv4,
    Udp,
    Ipv6,
}

/// How many bytes are loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Size {
    Byte,
    Half,
    Word,
}

/// What a jump depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Test {
    /// What was loaded is this.
    Is(u32),
    /// It has one of these bits.
    Has(u32),
}

/// One step. Places are counted from where the inner frame starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Jumps lead here.
    Label(To),
    /// Loads a number. What is not there ends the program: the frame is the first worker's.
    Load(Size, usize),
    /// Mixes four bytes into the hash.
    Mix(usize),
    /// Goes on at the one if the test holds, else at the other.
    When(Test, To, To),
    /// Goes on there.
    Go(To),
    /// The inner frame starts so much later.
    Skip(usize),
}

use Size::{Byte, Half};
use Step::{Go, Label, Load, Mix, Skip, When};
use Test::{Has, Is};

/// For an Ethernet frame of a station.
pub(crate) const FRAME: &[Step] = &[
    Label(To::Inner),
    Load(Byte, 0),
    When(Has(1), To::First, To::Next),
    Mix(at::MAC_DESTINATION),
    Mix(at::MAC_SOURCE),
    Load(Half, at::ETHERTYPE),
    When(Is(is::TAGGED as u32), To::Next, To::Untagged),
    Skip(at::TAG_LEN),
    Label(To::Untagged),
    Load(Half, at::ETHERTYPE),
    When(Is(is::ARP as u32), To::First, To::Next),
    When(Is(is::IPV6 as u32), To::Ipv6, To::Next),
    When(Is(is::IPV4 as u32), To::Ipv4, To::Finish),
    Label(To::Ipv4),
    Load(Byte, at::IP),
    When(Is(is::IPV4_PLAIN as u32), To::Next, To::Finish),
    Mix(at::IPV4_SOURCE),
    Mix(at::IPV4_DESTINATION),
    Load(Half, at::IPV4_FRAGMENT),
    When(Has(is::IPV4_CUT as u32), To::Finish, To::Next),
    Load(Byte, at::IPV4_PROTOCOL),
    When(Is(is::UDP as u32), To::Udp, To::Next),
    When(Is(is::TCP as u32), To::Next, To::Finish),
    Mix(at::IPV4_PORTS),
    Go(To::Finish),
    Label(To::Udp),
    Load(Half, at::IPV4_PORTS),
    When(Is(is::DHCP[0] as u32), To::First, To::Next),
    When(Is(is::DHCP[1] as u32), To::First, To::Finish),
    Label(To::Ipv6),
    Load(Byte, at::IPV6_NEXT),
    When(Is(is::ICMPV6 as u32), To::First, To::Next),
    Mix(at::IPV6_SOURCE),
    Mix(at::IPV6_DESTINATION),
    Load(Byte, at::IPV6_NEXT),
    When(Is(is::TCP as u32), To::Next, To::Finish),
    Mix(at::IPV6_PORTS),
    Go(To::Finish),
];

/// For what follows a fragment's type byte.
pub(crate) const FRAGMENT: &[Step] =
    &[Label(To::Fragment), Mix(at::PART_DESTINATION), Mix(at::PART_ORIGINATOR), Go(To::Finish)];
