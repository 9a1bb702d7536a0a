//! The few BPF programs of the bench, put together instruction by instruction, so that no compiler is needed, and the calls of
//! bpf(2) that they need.
#![expect(unsafe_code, reason = "bpf(2) takes addresses, and nothing safe wraps it")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};

/// Commands of bpf(2).
const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP: libc::c_int = 1;
const PROG_LOAD: libc::c_int = 5;
const OBJ_PIN: libc::c_int = 6;
const TEST_RUN: libc::c_int = 10;
const LINK_CREATE: libc::c_int = 28;
/// A map of one kind: an array with a value for each processor.
const PER_CPU_ARRAY: u32 = 6;
/// `BPF_TCX_INGRESS`.
const TCX_INGRESS: u32 = 46;
/// `BPF_F_BEFORE`: ahead of all others.
const BEFORE: u32 = 1 << 3;
/// `BPF_XDP`, and `XDP_FLAGS_SKB_MODE`: on any link.
const XDP: u32 = 37;
const GENERIC: u32 = 1 << 1;
/// `BPF_F_TEST_XDP_LIVE_FRAMES`.
const LIVE_FRAMES: u32 = 1 << 1;
/// More processors than any kernel knows: so many values may come out of a map.
const PROCESSORS: usize = 8192;

/// What a program is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A classifier of TC.
    Classifier = 3,
    /// XDP.
    Xdp = 6,
}

/// A register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct R(pub(super) u8);

/// Helpers of the kernel, by number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Helper {
    /// `bpf_map_lookup_elem`.
    Lookup = 1,
    /// `bpf_get_smp_processor_id`.
    Processor = 8,
    /// `bpf_redirect`.
    Redirect = 23,
}

/// A program under construction. Its jumps all lead to one place, [`Code::out`].
#[derive(Debug, Default)]
pub(crate) struct Code {
    bytes: Vec<u8>,
    jumps: Vec<usize>,
}

impl Code {
    fn push(&mut self, op: u8, to: R, from: R, offset: i16, value: i32) {
        self.bytes.extend([op, (from.0 << 4) | to.0]);
        self.bytes.extend(offset.to_ne_bytes());
        self.bytes.extend(value.to_ne_bytes());
    }

    /// `to = value`.
    pub(crate) fn set(&mut self, to: R, value: i32) {
        self.push(0xb7, to, R(0), 0, value);
    }

    /// `to = value` of 64 bits.
    pub(crate) fn set_wide(&mut self, to: R, value: u64) {
        self.wide(to, R(0), value);
    }

    /// `to = map`.
    pub(crate) fn set_map(&mut self, to: R, map: &Counter) {
        self.wide(to, R(1), u64::from(map.0.as_raw_fd().cast_unsigned()));
    }

    fn wide(&mut self, to: R, kind: R, value: u64) {
        let half = |value: u64| (value as u32).cast_signed();
        self.push(0x18, to, kind, 0, half(value));
        self.push(0, R(0), R(0), 0, half(value >> 32));
    }

    /// `to = from`.
    pub(crate) fn copy(&mut self, to: R, from: R) {
        self.push(0xbf, to, from, 0, 0);
    }

    /// `to += value`.
    pub(crate) fn add(&mut self, to: R, value: i32) {
        self.push(0x07, to, R(0), 0, value);
    }

    /// `to &= value`, 32 bits.
    pub(crate) fn and(&mut self, to: R, value: u32) {
        self.push(0x54, to, R(0), 0, value.cast_signed());
    }

    /// `to = *(u32 *)(from + offset)`.
    pub(crate) fn load32(&mut self, to: R, from: R, offset: i16) {
        self.push(0x61, to, from, offset, 0);
    }

    /// `to = *(u64 *)(from + offset)`.
    pub(crate) fn load64(&mut self, to: R, from: R, offset: i16) {
        self.push(0x79, to, from, offset, 0);
    }

    /// `*(u8 *)(to + offset) = from`.
    pub(crate) fn store8(&mut self, to: R, offset: i16, from: R) {
        self.push(0x73, to, from, offset, 0);
    }

    /// `*(u32 *)(to + offset) = from`.
    pub(crate) fn store32(&mut self, to: R, offset: i16, from: R) {
        self.push(0x63, to, from, offset, 0);
    }

    /// `*(u64 *)(to + offset) = from`.
    pub(crate) fn store64(&mut self, to: R, offset: i16, from: R) {
        self.push(0x7b, to, from, offset, 0);
    }

    /// `if (one > other) goto out`.
    pub(crate) fn out_if_above(&mut self, one: R, other: R) {
        self.jumps.push(self.bytes.len());
        self.push(0x2d, one, other, 0, 0);
    }

    /// `if (one == value) goto out`.
    pub(crate) fn out_if(&mut self, one: R, value: i32) {
        self.jumps.push(self.bytes.len());
        self.push(0x15, one, R(0), 0, value);
    }

    /// `if (one != value) goto out`, 32 bits.
    pub(crate) fn out_if_not(&mut self, one: R, value: u32) {
        self.jumps.push(self.bytes.len());
        self.push(0x56, one, R(0), 0, value.cast_signed());
    }

    /// Calls a helper.
    pub(crate) fn call(&mut self, helper: Helper) {
        self.push(0x85, R(0), R(0), 0, helper as i32);
    }

    /// `return r0`.
    pub(crate) fn exit(&mut self) {
        self.push(0x95, R(0), R(0), 0, 0);
    }

    /// Where the jumps lead: `return value`.
    pub(crate) fn out(&mut self, value: i32) {
        let target = self.bytes.len();
        for at in std::mem::take(&mut self.jumps) {
            // Counted in instructions, from the one behind the jump.
            let far = i16::try_from((target - at) / 8 - 1).expect("programs here are short");
            self.bytes[at + 2..at + 4].copy_from_slice(&far.to_ne_bytes());
        }
        self.set(R(0), value);
        self.exit();
    }

    /// Leaves in `r0` where this processor's counter stands; goes out if it stands nowhere, as the kernel wants it.
    pub(crate) fn find(&mut self, counter: &Counter) {
        self.set(R(0), 0);
        self.store32(R(10), -4, R(0));
        self.copy(R(2), R(10));
        self.add(R(2), -4);
        self.set_map(R(1), counter);
        self.call(Helper::Lookup);
        self.out_if(R(0), 0);
    }

    /// Loads it.
    ///
    /// # Errors
    /// What the kernel says, with its reasons.
    pub(crate) fn load(&self, kind: Kind) -> Result<Program> {
        let mut log = vec![0_u8; 1 << 16];
        let license = CString::new("GPL")?;
        let mut words = Words::default();
        words.put32(0, kind as u32);
        words.put32(4, u32::try_from(self.bytes.len() / 8)?);
        words.put64(8, self.bytes.as_ptr() as u64);
        words.put64(16, license.as_ptr() as u64);
        words.put32(24, 1);
        words.put32(28, u32::try_from(log.len())?);
        words.put64(32, log.as_mut_ptr() as u64);
        // SAFETY: the addresses are of the instructions, a string that ends with zero and the log, whose lengths stand beside
        // them; all live until the call returns.
        let loaded = unsafe { words.call_for_descriptor(PROG_LOAD) };
        let text = || String::from_utf8_lossy(&log).trim_end_matches('\0').trim().to_owned();
        Ok(Program(loaded.with_context(|| format!("the kernel takes no program: {}", text()))?))
    }
}

/// A number of 64 bits for each processor, that programs change.
#[derive(Debug)]
pub(crate) struct Counter(OwnedFd);

impl Counter {
    /// Makes it; all are 0.
    pub(crate) fn new() -> Result<Self> {
        let mut words = Words::default();
        for (at, value) in [PER_CPU_ARRAY, 4, 8, 1].into_iter().enumerate() {
            words.put32(4 * at, value);
        }
        // SAFETY: the command takes no address.
        Ok(Self(unsafe { words.call_for_descriptor(MAP_CREATE) }.context("no BPF map")?))
    }

    /// The sum over all processors.
    pub(crate) fn read(&self) -> Result<u64> {
        let (key, mut values) = (0_u32, vec![0_u64; PROCESSORS]);
        let mut words = Words::default();
        words.put32(0, self.0.as_raw_fd().cast_unsigned());
        words.put64(8, &raw const key as u64);
        words.put64(16, values.as_mut_ptr() as u64);
        // SAFETY: the key has the four bytes of the map's keys, and there is room for the eight bytes of each processor.
        unsafe { words.call(MAP_LOOKUP) }.context("cannot read a BPF map")?;
        Ok(values.iter().sum())
    }
}

/// A program that the kernel has taken.
#[derive(Debug)]
pub(crate) struct Program(OwnedFd);

impl Program {
    /// Runs an XDP program `frames` times on copies of `frame`, and does with each what the program says. It runs in the network
    /// namespace and on the processor of the caller. The kernel uses a frame's memory again, as the program and all who had
    /// it left it.
    ///
    /// # Errors
    /// If the kernel cannot do it: before Linux 5.18.
    pub(crate) fn send(&self, frame: &[u8], frames: u32) -> io::Result<()> {
        let mut words = Words::default();
        words.put32(0, self.0.as_raw_fd().cast_unsigned());
        words.put32(8, u32::try_from(frame.len()).map_err(io::Error::other)?);
        words.put64(16, frame.as_ptr() as u64);
        words.put32(32, frames);
        words.put32(64, LIVE_FRAMES);
        // SAFETY: the address is that of the frame, with its length beside it.
        unsafe { words.call(TEST_RUN) }.map(drop)
    }

    /// Hangs a classifier on what comes in by a link of the caller's namespace, ahead of all others there, until what is returned
    /// is dropped.
    ///
    /// # Errors
    /// Before Linux 6.6 there is no such thing: `EINVAL`.
    pub(crate) fn hang_on(&self, link: u32) -> io::Result<OwnedFd> {
        self.link(link, TCX_INGRESS, BEFORE)
    }

    /// Hangs an XDP program on a link of the caller's namespace until what is returned is dropped.
    pub(crate) fn hang_as_xdp(&self, link: u32) -> io::Result<OwnedFd> {
        self.link(link, XDP, GENERIC)
    }

    fn link(&self, link: u32, place: u32, flags: u32) -> io::Result<OwnedFd> {
        let mut words = Words::default();
        words.put32(0, self.0.as_raw_fd().cast_unsigned());
        for (at, value) in [(4, link), (8, place), (12, flags)] {
            words.put32(at, value);
        }
        // SAFETY: the command takes no address.
        unsafe { words.call_for_descriptor(LINK_CREATE) }
    }

    /// Gives it a name in a BPF file system.
    pub(crate) fn pin(&self, path: &Path) -> Result<()> {
        let path = CString::new(path.as_os_str().as_encoded_bytes())?;
        let mut words = Words::default();
        words.put64(0, path.as_ptr() as u64);
        words.put32(8, self.0.as_raw_fd().cast_unsigned());
        // SAFETY: the address is that of a string that ends with zero.
        unsafe { words.call(OBJ_PIN) }.with_context(|| format!("cannot pin {path:?}"))?;
        Ok(())
    }
}

/// `union bpf_attr`.
#[repr(align(8))]
struct Words([u8; 128]);

impl Default for Words {
    fn default() -> Self {
        Self([0; 128])
    }
}

impl Words {
    fn put32(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn put64(&mut self, at: usize, value: u64) {
        self.0[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }

    /// # Safety
    /// Each address in the words must be of what the command makes of it, as long as the command says or the words do.
    unsafe fn call(&mut self, command: libc::c_int) -> io::Result<libc::c_int> {
        let (words, length) = (self.0.as_mut_ptr(), self.0.len());
        // SAFETY: the words are there in their whole length; the caller vouches for what they point to.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, words, length) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
    }

    /// # Safety
    /// As for [`Self::call`], and the command must be one that returns a new descriptor.
    unsafe fn call_for_descriptor(&mut self, command: libc::c_int) -> io::Result<OwnedFd> {
        // SAFETY: the caller vouches for the words.
        let descriptor = unsafe { self.call(command) }?;
        // SAFETY: the kernel made it for this call, and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_lead_to_the_way_out() {
        let mut code = Code::default();
        code.out_if(R(1), 7);
        code.set_wide(R(2), 0x1122_3344_5566_7788);
        code.out_if_above(R(2), R(3));
        code.set(R(0), 1);
        code.exit();
        code.out(0);
        let offset =
            |at: usize| i16::from_ne_bytes([code.bytes[8 * at + 2], code.bytes[8 * at + 3]]);
        // A wide value takes two instructions: the way out is the seventh, number 6.
        assert_eq!((offset(0), offset(3)), (5, 2));
        assert_eq!(code.bytes.len(), 8 * 8);
        assert_eq!(code.bytes[8 * 6], 0xb7);
    }

    #[test]
    fn registers_share_a_byte() {
        let mut code = Code::default();
        code.load32(R(2), R(1), 76);
        assert_eq!(code.bytes[..2], [0x61, 0x12]);
    }
}
