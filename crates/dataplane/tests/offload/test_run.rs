//! `BPF_PROG_TEST_RUN`: the kernel runs a program on a frame of ours and says what came of it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

const BPF_PROG_TEST_RUN: libc::c_int = 10;
/// Bytes of `struct __sk_buff`.
const CONTEXT_LEN: usize = 192;
/// Where it has these fields.
const PRIORITY: usize = 32;
const IFINDEX: usize = 40;
const GSO_SEGS: usize = 164;

/// The part of `union bpf_attr` that the call reads, and the fields that it writes.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    padding: u32,
}

/// What came of a frame.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Ran {
    /// What the program returned.
    pub(crate) verdict: i32,
    /// The frame afterwards.
    pub(crate) frame: Vec<u8>,
    /// Its priority, as the kernel counts them.
    pub(crate) priority: u32,
}

/// How long `program` takes for a frame, nanoseconds, over so many runs, each of which finds what the last one left.
pub(crate) fn nanoseconds(
    program: BorrowedFd<'_>,
    ifindex: u32,
    repeat: u32,
    frame: &[u8],
) -> io::Result<u32> {
    call(program, ifindex, 1, repeat, frame).map(|(_, duration)| duration)
}

/// Runs `program` on a frame that arrives on an interface; `segments` above 1 make it one that is still to be cut.
pub(crate) fn run(
    program: BorrowedFd<'_>,
    ifindex: u32,
    segments: u32,
    frame: &[u8],
) -> io::Result<Ran> {
    call(program, ifindex, segments, 1, frame).map(|(ran, _)| ran)
}

fn call(
    program: BorrowedFd<'_>,
    ifindex: u32,
    segments: u32,
    repeat: u32,
    frame: &[u8],
) -> io::Result<(Ran, u32)> {
    let mut context = [0_u8; CONTEXT_LEN];
    context[IFINDEX..IFINDEX + 4].copy_from_slice(&ifindex.to_ne_bytes());
    context[GSO_SEGS..GSO_SEGS + 4].copy_from_slice(&segments.to_ne_bytes());
    let mut context_out = [0_u8; CONTEXT_LEN];
    let mut out = vec![0_u8; frame.len() + 64];
    let mut attributes = Attributes {
        prog_fd: program.as_raw_fd().cast_unsigned(),
        data_size_in: u32::try_from(frame.len()).unwrap(),
        data_size_out: u32::try_from(out.len()).unwrap(),
        data_in: frame.as_ptr() as u64,
        data_out: out.as_mut_ptr() as u64,
        repeat,
        ctx_size_in: CONTEXT_LEN as u32,
        ctx_size_out: CONTEXT_LEN as u32,
        ctx_in: context.as_ptr() as u64,
        ctx_out: context_out.as_mut_ptr() as u64,
        ..Attributes::default()
    };
    // SAFETY: the kernel reads and writes `attributes`, which is as long as said; it reads `frame` and `context`, and writes
    // `out` and `context_out`, each within the length given beside its address. All of them live through the call.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_TEST_RUN,
            &raw mut attributes,
            size_of::<Attributes>() as libc::c_uint,
        )
    };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    out.truncate(attributes.data_size_out as usize);
    let priority =
        context_out[PRIORITY..].first_chunk().map_or(0, |word| u32::from_ne_bytes(*word));
    let ran = Ran { verdict: attributes.retval.cast_signed(), frame: out, priority };
    Ok((ran, attributes.duration))
}
