//! How the kernel shares the frames of an interface among the sockets of several workers: a classic BPF program says which
//! one gets a frame (packet(7), `PACKET_FANOUT_CBPF`, Linux 4.3).
//!
//! It is the rule of [`steering`](crate::pipeline::steering), with the same hash, so that hardly a frame has to be passed
//! on from one worker to another. (The kernel's own hash, `PACKET_FANOUT_HASH`, looks through unicast packets since
//! Linux 4.13, but not through the other kinds, and would spread the fragments of one packet.)

use crate::pipeline::steering::{MULTIPLIER, UNICAST_4ADDR_LEN, UNICAST_LEN, is};
use crate::rule::{self, Size, Step, Test, To};
use libc::{
    BPF_ADD, BPF_ALU, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K,
    BPF_LD, BPF_LDX, BPF_MEM, BPF_MUL, BPF_RET, BPF_RSH, BPF_ST, BPF_STX, BPF_W, BPF_X, BPF_XOR,
    sock_filter,
};

/// Places of the program's memory: the hash so far, and where the inner frame starts. The latter is in the index register,
/// too, but for the moment in which that has the hash.
const HASH: u32 = 0;
const INNER: u32 = 1;
/// Instructions that libc does not name.
const BPF_RET_A: u32 = BPF_RET | 0x10;
const BPF_TAX: u32 = 0x07;
const BPF_TXA: u32 = 0x87;

/// A program in the making.
#[derive(Default)]
struct Assembly {
    code: Vec<sock_filter>,
    jumps: Vec<(usize, To, To)>,
    labels: Vec<(To, usize)>,
}

impl Assembly {
    fn put(&mut self, code: u32, k: u32) {
        self.code.push(sock_filter { code: code as u16, jt: 0, jf: 0, k });
    }

    fn jump(&mut self, test: Test, yes: To, no: To) {
        self.jumps.push((self.code.len(), yes, no));
        match test {
            Test::Is(k) => self.put(BPF_JMP | BPF_JEQ | BPF_K, k),
            Test::Has(k) => self.put(BPF_JMP | BPF_JSET | BPF_K, k),
        }
    }

    fn load(&mut self, size: Size, at: usize) {
        let size = match size {
            Size::Byte => BPF_B,
            Size::Half => BPF_H,
            Size::Word => BPF_W,
        };
        self.put(BPF_LD | size | BPF_IND, at as u32);
    }

    fn inner_at(&mut self, offset: usize) {
        self.put(BPF_LDX | BPF_IMM, offset as u32);
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Label(label) => {
                    self.labels.push((label, self.code.len()));
                    if matches!(label, To::Inner | To::Fragment) {
                        self.put(BPF_STX, INNER);
                    }
                }
                Step::Load(size, at) => self.load(size, at),
                Step::Mix(at) => {
                    self.load(Size::Word, at);
                    self.put(BPF_LDX | BPF_MEM, HASH);
                    self.put(BPF_ALU | BPF_XOR | BPF_X, 0);
                    self.put(BPF_ALU | BPF_MUL | BPF_K, MULTIPLIER);
                    self.put(BPF_ST, HASH);
                    self.put(BPF_LDX | BPF_MEM, INNER);
                }
                Step::When(test, yes, no) => self.jump(test, yes, no),
                Step::Go(to) => {
                    self.jumps.push((self.code.len(), to, to));
                    self.put(BPF_JMP | BPF_JA, 0);
                }
                Step::Skip(len) => {
                    self.put(BPF_TXA, 0);
                    self.put(BPF_ALU | BPF_ADD | BPF_K, len as u32);
                    self.put(BPF_TAX, 0);
                    self.put(BPF_STX, INNER);
                }
            }
        }
    }

    fn finish(self) -> Vec<sock_filter> {
        let Self { mut code, jumps, labels } = self;
        for (from, yes, no) in jumps {
            let distance = |to: To| {
                let found = labels.iter().find(|(label, _)| *label == to);
                found.map_or(from + 1, |(_, target)| *target) - from - 1
            };
            let jump = &mut code[from];
            if u32::from(jump.code) == BPF_JMP | BPF_JA {
                jump.k = distance(yes) as u32;
            } else {
                let short = |to: To| u8::try_from(distance(to)).expect("a short program");
                (jump.jt, jump.jf) = (short(yes), short(no));
            }
        }
        code
    }
}

/// The program. It starts at the packet's type byte, behind the outer Ethernet header; the kernel takes what it returns
/// modulo the number of sockets.
pub(super) fn program() -> Vec<sock_filter> {
    let mut to = Assembly::default();
    to.put(BPF_LD | BPF_IMM, 0);
    to.put(BPF_ST, HASH);
    to.inner_at(0);
    to.load(Size::Byte, 0);
    to.inner_at(UNICAST_LEN);
    to.jump(Test::Is(is::UNICAST.into()), To::Inner, To::Next);
    to.inner_at(UNICAST_4ADDR_LEN);
    to.jump(Test::Is(is::UNICAST_4ADDR.into()), To::Inner, To::Next);
    to.inner_at(0);
    to.jump(Test::Is(is::FRAGMENT.into()), To::Fragment, To::First);
    to.steps(rule::FRAGMENT);
    to.steps(rule::FRAME);
    to.steps(&[Step::Label(To::Finish)]);
    to.put(BPF_LD | BPF_MEM, HASH);
    to.put(BPF_ALU | BPF_RSH | BPF_K, 16);
    to.put(BPF_LDX | BPF_MEM, HASH);
    to.put(BPF_ALU | BPF_XOR | BPF_X, 0);
    to.put(BPF_RET_A, 0);
    to.steps(&[Step::Label(To::First)]);
    to.put(BPF_RET | BPF_K, 0);
    to.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::steering::{Steer, at};
    use proptest::prelude::*;

    /// What the kernel does with the instructions that [`program`] is made of.
    fn run(program: &[sock_filter], packet: &[u8]) -> u32 {
        let (mut a, mut x, mut memory, mut at) = (0u32, 0u32, [0u32; 16], 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            let code = u32::from(code);
            at += 1;
            let load = |len: usize| -> Option<u32> {
                let bytes = packet.get((x + k) as usize..)?.get(..len)?;
                Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
            };
            let jump = |holds: bool| usize::from(if holds { jt } else { jf });
            match code {
                _ if code == BPF_LD | BPF_IMM => a = k,
                _ if code == BPF_LDX | BPF_IMM => x = k,
                _ if code == BPF_LD | BPF_MEM => a = memory[k as usize],
                _ if code == BPF_LDX | BPF_MEM => x = memory[k as usize],
                _ if code == BPF_ST => memory[k as usize] = a,
                _ if code == BPF_STX => memory[k as usize] = x,
                _ if code & 0xe7 == BPF_LD | BPF_IND => {
                    let len = match code & 0x18 {
                        BPF_W => 4,
                        BPF_H => 2,
                        _ => 1,
                    };
                    match load(len) {
                        Some(value) => a = value,
                        None => return 0,
                    }
                }
                _ if code == BPF_ALU | BPF_XOR | BPF_X => a ^= x,
                _ if code == BPF_ALU | BPF_MUL | BPF_K => a = a.wrapping_mul(k),
                _ if code == BPF_ALU | BPF_RSH | BPF_K => a >>= k,
                _ if code == BPF_ALU | libc::BPF_ADD | BPF_K => a += k,
                BPF_TAX => x = a,
                BPF_TXA => a = x,
                _ if code == BPF_JMP | BPF_JA => at += k as usize,
                _ if code == BPF_JMP | BPF_JEQ | BPF_K => at += jump(a == k),
                _ if code == BPF_JMP | BPF_JSET | BPF_K => at += jump(a & k != 0),
                _ if code == BPF_RET | BPF_K => return k,
                BPF_RET_A => return a,
                _ => panic!("{code:#x}"),
            }
        }
    }

    fn number(steer: Steer) -> u32 {
        match steer {
            Steer::First => 0,
            Steer::Flow(hash) | Steer::Parts(hash) => hash,
        }
    }

    proptest! {
        /// Whatever comes: the kernel and the pipeline are of one mind.
        #[test]
        fn the_kernel_sorts_as_the_pipeline_does(
            kind in prop::sample::select(vec![0x00u8, 0x01, 0x05, 0x40, 0x41, 0x42, 0x43, 0x44]),
            group in any::<bool>(),
            tagged in any::<bool>(),
            ethertype in prop::sample::select(vec![0x0800u16, 0x0806, 0x86dd, 0x8100, 0x88b5]),
            first in prop::sample::select(vec![0x45u8, 0x46, 0x60]),
            protocol in prop::sample::select(vec![1u8, 6, 17, 58]),
            cut in prop::sample::select(vec![0u16, 0x4000, 0x2000, 0x0007]),
            port in prop::sample::select(vec![67u16, 68, 53, 5001]),
            mut bytes in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let mut put = |at: usize, what: &[u8]| {
                for (to, from) in bytes.iter_mut().skip(at).zip(what) {
                    *to = *from;
                }
            };
            put(0, &[kind]);
            let mut inner = if kind == 0x42 { UNICAST_4ADDR_LEN } else { UNICAST_LEN };
            if matches!(kind, 0x40 | 0x42) {
                put(inner, &[if group { 3 } else { 2 }]);
                if tagged {
                    put(inner + 12, &0x8100u16.to_be_bytes());
                    inner += 4;
                }
                put(inner + 12, &ethertype.to_be_bytes());
                put(inner + 14, &[first]);
                put(inner + 20, &cut.to_be_bytes());
                put(inner + 23, &[protocol]);
                if ethertype == 0x86dd {
                    put(inner + 20, &[protocol]);
                }
                put(inner + 34, &port.to_be_bytes());
            }
            prop_assert_eq!(run(&program(), &bytes), number(Steer::packet(&bytes)));
        }
    }

    /// What one flow has in common stays together, and flows spread.
    #[test]
    fn flows_spread_over_the_workers() {
        let mut counts = [0; 4];
        for flow in 0..400u16 {
            let mut packet = vec![0; UNICAST_LEN + 60];
            packet[0] = is::UNICAST;
            let inner = &mut packet[UNICAST_LEN..];
            inner[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
            inner[12..15].copy_from_slice(&[8, 0, 0x45]);
            inner[at::IPV4_PROTOCOL] = is::TCP;
            inner[at::IPV4_PORTS..][..2].copy_from_slice(&(40_000 + flow).to_be_bytes());
            counts[Steer::packet(&packet).worker(4)] += 1;
        }
        assert!(counts.iter().all(|count| (70..130).contains(count)), "{counts:?}");
    }
}
