//! Memory that the kernel and this process share: the rings of a socket, and the chunks that frames lie in.
#![expect(unsafe_code, reason = "mmap")]

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

const PROTECTION: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

/// A mapping, readable and writable, undone on drop.
#[derive(Debug)]
pub(super) struct Mapping {
    base: NonNull<c_void>,
    len: usize,
}

// SAFETY: the value only knows where the mapping is; it reads and writes nothing there, and munmap may be called by any
// thread.
unsafe impl Send for Mapping {}
// SAFETY: as above; a shared reference gives no access to the memory.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// `len` bytes of new memory, zeroed.
    pub(super) fn anonymous(len: NonZeroUsize) -> Result<Self, Errno> {
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice: it overlaps nothing that exists.
        let base = unsafe { mmap_anonymous(None, len, PROTECTION, flags) }?;
        Ok(Self { base, len: len.get() })
    }

    /// `len` bytes of the ring that a socket has at `offset`.
    pub(super) fn ring(
        socket: BorrowedFd<'_>,
        len: NonZeroUsize,
        offset: libc::off_t,
    ) -> Result<Self, Errno> {
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_POPULATE;
        // SAFETY: as above.
        let base = unsafe { mmap(None, len, PROTECTION, flags, socket, offset) }?;
        Ok(Self { base, len: len.get() })
    }

    /// Where it starts: aligned to a page, valid for [`Self::len`] bytes while this value lives.
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base.cast()
    }

    /// How long it is, bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, and whoever could reach it held this value.
        if let Err(errno) = unsafe { munmap(self.base, self.len) } {
            debug_assert!(false, "munmap of an own mapping: {errno}");
        }
    }
}
