//! Which queue of the mesh interface a frame of the host goes to: an eBPF program by the rule of
//! [`steering`](crate::pipeline::steering) (`TUNSETSTEERINGEBPF`, Linux 4.16). Without it the kernel moves a flow from queue to
//! queue as it goes, and frames overtake each other.
#![expect(unsafe_code, reason = "bpf(2) takes addresses in a union")]

use crate::pipeline::steering::MULTIPLIER;
use crate::rule::{self, Size, Step, Test, To};
use libc::{
    BPF_ADD, BPF_ALU, BPF_B, BPF_H, BPF_IND, BPF_JA, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD,
    BPF_MUL, BPF_RSH, BPF_W, BPF_X, BPF_XOR,
};
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// What libc does not name.
const BPF_MOV: u32 = 0xb0;
const BPF_ALU64: u32 = 0x07;
const BPF_EXIT: u32 = 0x90;
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_TYPE_SOCKET_FILTER: u32 = 1;

/// Registers: what was loaded and what is returned; the frame, as the loading instructions want it; where the inner frame
/// starts; the hash so far.
const LOADED: u8 = 0;
const ARGUMENT: u8 = 1;
const CONTEXT: u8 = 6;
const INNER: u8 = 7;
const HASH: u8 = 8;

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Instruction {
    code: u8,
    /// Destination in the lower half, source in the upper one (on a big-endian machine the other way round).
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// The first fields of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct Load {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_len: u32,
    log: u64,
}

#[derive(Default)]
struct Assembly {
    code: Vec<Instruction>,
    jumps: Vec<(usize, To)>,
    labels: Vec<(To, usize)>,
}

impl Assembly {
    fn put(&mut self, code: u32, to: u8, from: u8, immediate: u32) {
        let registers = if cfg!(target_endian = "big") { to << 4 | from } else { from << 4 | to };
        let immediate = immediate.cast_signed();
        self.code.push(Instruction { code: code as u8, registers, offset: 0, immediate });
    }

    /// Goes on at `to`, if the comparison `code` holds.
    fn jump(&mut self, code: u32, immediate: u32, to: To) {
        if to != To::Next {
            self.jumps.push((self.code.len(), to));
            self.put(BPF_JMP | code, LOADED, 0, immediate);
        }
    }

    fn load(&mut self, size: Size, at: usize) {
        let size = match size {
            Size::Byte => BPF_B,
            Size::Half => BPF_H,
            Size::Word => BPF_W,
        };
        self.put(BPF_LD | size | BPF_IND, 0, INNER, at as u32);
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Label(label) => self.labels.push((label, self.code.len())),
                Step::Load(size, at) => self.load(size, at),
                Step::Mix(at) => {
                    self.load(Size::Word, at);
                    self.put(BPF_ALU | BPF_XOR | BPF_X, HASH, LOADED, 0);
                    self.put(BPF_ALU | BPF_MUL | BPF_K, HASH, 0, MULTIPLIER);
                }
                Step::When(test, yes, no) => {
                    let (code, immediate) = match test {
                        Test::Is(number) => (BPF_JEQ, number),
                        Test::Has(bits) => (BPF_JSET, bits),
                    };
                    // "Yes" may be the next step, and then "no" needs a jump around it.
                    if yes == To::Next {
                        self.put(BPF_JMP | code, LOADED, 0, immediate);
                        if let Some(test) = self.code.last_mut() {
                            test.offset = 1;
                        }
                    } else {
                        self.jump(code, immediate, yes);
                    }
                    self.jump(BPF_JA, 0, no);
                }
                Step::Go(to) => self.jump(BPF_JA, 0, to),
                Step::Skip(len) => self.put(BPF_ALU64 | BPF_ADD | BPF_K, INNER, 0, len as u32),
            }
        }
    }
}

/// The program; the kernel takes what it returns modulo the number of queues.
fn program() -> Vec<Instruction> {
    let mut to = Assembly::default();
    to.put(BPF_ALU64 | BPF_MOV | BPF_X, CONTEXT, ARGUMENT, 0);
    to.put(BPF_ALU64 | BPF_MOV | BPF_K, INNER, 0, 0);
    to.put(BPF_ALU64 | BPF_MOV | BPF_K, HASH, 0, 0);
    to.steps(rule::FRAME);
    to.steps(&[Step::Label(To::Finish)]);
    to.put(BPF_ALU | BPF_MOV | BPF_X, LOADED, HASH, 0);
    to.put(BPF_ALU | BPF_RSH | BPF_K, LOADED, 0, 16);
    to.put(BPF_ALU | BPF_XOR | BPF_X, LOADED, HASH, 0);
    to.put(BPF_JMP | BPF_EXIT, 0, 0, 0);
    to.steps(&[Step::Label(To::First)]);
    to.put(BPF_ALU64 | BPF_MOV | BPF_K, LOADED, 0, 0);
    to.put(BPF_JMP | BPF_EXIT, 0, 0, 0);
    let Assembly { mut code, jumps, labels } = to;
    for (from, to) in jumps {
        let target = labels.iter().find(|(label, _)| *label == to).map_or(from + 1, |it| it.1);
        code[from].offset = i16::try_from(target - from - 1).expect("a short program");
    }
    code
}

/// Sorts what the host sends among the queues of the interface that `tun` is one of.
pub(super) fn sort(tun: impl AsFd) -> Result<(), Errno> {
    let program = load(&program())?;
    let number = program.as_raw_fd();
    // SAFETY: the request reads one number from where the pointer points, which lives through the call. The kernel takes a
    // reference to the program of its own.
    let outcome = unsafe {
        libc::ioctl(tun.as_fd().as_raw_fd(), libc::TUNSETSTEERINGEBPF, &raw const number)
    };
    Errno::result(outcome).map(drop)
}

fn load(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let attributes = Load {
        program_type: BPF_PROG_TYPE_SOCKET_FILTER,
        count: program.len() as u32,
        // The kernel follows both addresses.
        instructions: program.as_ptr().expose_provenance() as u64,
        license: c"MIT".as_ptr().expose_provenance() as u64,
        log_level: 0,
        log_len: 0,
        log: 0,
    };
    // SAFETY: the kernel reads the struct, the instructions and the licence, which all live through the call, and writes
    // nothing.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            &raw const attributes,
            size_of::<Load>() as libc::c_ulong,
        )
    };
    let number = Errno::result(outcome)?;
    let number = libc::c_int::try_from(number).map_err(|_| Errno::EBADF)?;
    // SAFETY: the call has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
