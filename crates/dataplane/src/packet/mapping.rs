//! The memory of a ring, mapped into this process for as long as anybody walks it.
#![expect(unsafe_code, reason = "mmap and what lies in it")]

use super::layout::RingLayout;
use super::ring::Slots;
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::Arc;

/// The size of a page, bytes: what blocks are multiples of.
pub(super) fn page_len() -> usize {
    // SAFETY: sysconf reads a constant of the system and touches no memory of ours.
    let len = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(len).ok().filter(|len| len.is_power_of_two()).unwrap_or(65_536)
}

/// A mapping, undone on drop. The kernel keeps the ring until then, also when the socket was closed before.
#[derive(Debug)]
struct Mapping {
    base: NonNull<c_void>,
    len: usize,
}

// SAFETY: the value only knows where the mapping is; it reads and writes nothing there, and munmap may be called by any
// thread.
unsafe impl Send for Mapping {}
// SAFETY: as above; a shared reference gives no access to the memory.
unsafe impl Sync for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `map` mapped, and the last who could reach it held an `Arc` of this value.
        if let Err(errno) = unsafe { munmap(self.base, self.len) } {
            debug_assert!(false, "munmap of an own mapping: {errno}");
        }
    }
}

/// Maps the receive ring of `socket`, which has been made with this `layout`.
pub(super) fn map(socket: impl AsFd, layout: RingLayout) -> Result<Slots, Errno> {
    let len = NonZeroUsize::new(layout.byte_len()).ok_or(Errno::EINVAL)?;
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice: it overlaps nothing that exists.
    let base = unsafe { mmap(None, len, protection, MapFlags::MAP_SHARED, socket, 0) }?;
    let mapping = Arc::new(Mapping { base, len: len.get() });
    // SAFETY: page-aligned, mapped readable and writable for `byte_len` bytes until `mapping` is dropped, zeroed by the
    // kernel. The address goes into this value and nowhere else. The kernel was told this very layout, and keeps to
    // TPACKET_V2.
    Ok(unsafe { Slots::new(base.cast(), layout, mapping) })
}
