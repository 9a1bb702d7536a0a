//! Which frames a socket is woken for: classic BPF programs that the kernel runs on each frame (socket(7),
//! `SO_ATTACH_FILTER`).

use libc::{
    BPF_ABS, BPF_B, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_LEN, BPF_RET, BPF_W, sock_filter,
};
use noctule_wire::ETHERNET_HEADER_LEN;

/// A filter program.
pub(super) type Program = [sock_filter; 8];

/// Types of the packets that only the engine has a use for, and that come all the time: OGM, ELP, OGM2.
const CONTROL: [u8; 3] = [0x00, 0x03, 0x04];
const WHOLE: u32 = u32::MAX;
const NOTHING: u32 = 0;

/// Lets control packets through, and nothing else.
pub(super) fn control_only() -> Program {
    program(WHOLE, NOTHING)
}

/// Lets everything through but control packets.
pub(super) fn all_but_control() -> Program {
    program(NOTHING, WHOLE)
}

/// Lets everything through.
pub(super) fn everything() -> Program {
    program(WHOLE, WHOLE)
}

/// Lets nothing through.
pub(super) fn nothing() -> Program {
    program(NOTHING, NOTHING)
}

/// How many bytes of a control packet and of any other frame are to be handed out.
fn program(control: u32, other: u32) -> Program {
    let [ogm, elp, ogm2] = CONTROL.map(u32::from);
    let type_at = ETHERNET_HEADER_LEN as u32;
    [
        // A frame without a type byte is not a control packet.
        statement(BPF_LD | BPF_W | BPF_LEN, 0),
        jump(BPF_JGE, type_at + 1, 0, 4),
        statement(BPF_LD | BPF_B | BPF_ABS, type_at),
        jump(BPF_JEQ, ogm, 3, 0),
        jump(BPF_JEQ, elp, 2, 0),
        jump(BPF_JEQ, ogm2, 1, 0),
        statement(BPF_RET | BPF_K, other),
        statement(BPF_RET | BPF_K, control),
    ]
}

const fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Skips `jt` instructions if the condition holds, else `jf`.
const fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | condition | BPF_K) as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::{PacketType, packet};

    #[test]
    fn control_packets_are_those_of_the_routing_algorithms() {
        let is_control = |byte: &u8| {
            let kind = packet::packet_type(&[*byte, 15, 50]);
            matches!(kind, Ok(PacketType::Ogm | PacketType::Elp | PacketType::Ogm2))
        };
        assert_eq!((0..=255).filter(is_control).collect::<Vec<u8>>(), CONTROL);
    }
}
