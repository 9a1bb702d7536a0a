//! One daemon for one control socket: the lock beside the socket, and the socket itself. Both are removed when the daemon
//! ends; what one that was killed left behind is taken over.

use crate::settings::check_socket_path;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The right to serve one socket path.
#[derive(Debug)]
pub(crate) struct Instance {
    _lock: Flock<File>,
    lock_path: PathBuf,
    /// The directory, if it did not exist before.
    made: Option<PathBuf>,
}

/// Why there is no control socket: one sentence with the fix.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum NoInstance {
    /// The place is full, not there or cannot be written.
    #[error("{0}")]
    Unwritable(String),
    /// Anything else.
    #[error("{0}")]
    Wrong(String),
}

impl NoInstance {
    fn of(error: &io::Error, sentence: String) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::StorageFull
            | Kind::ReadOnlyFilesystem
            | Kind::QuotaExceeded
            | Kind::PermissionDenied
            | Kind::NotFound => Self::Unwritable(sentence),
            _ => Self::Wrong(sentence),
        }
    }
}

/// The control socket while it exists.
#[derive(Debug)]
pub(crate) struct BoundSocket {
    path: PathBuf,
    /// Device and inode: only our own is removed.
    identity: Option<(u64, u64)>,
}

impl Instance {
    /// Locks the socket path for this process, and makes its directory if need be.
    ///
    /// # Errors
    /// One sentence with the fix.
    pub(crate) fn lock(socket: &Path) -> Result<Self, NoInstance> {
        check_socket_path(socket).map_err(NoInstance::Wrong)?;
        let lock_path = PathBuf::from(format!("{}.lock", socket.display()));
        let directory = match socket.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let made = make_directory(directory)?;
        let instance = take_lock(&lock_path, socket).map(|lock| Self {
            _lock: lock,
            lock_path,
            made: made.clone(),
        });
        if instance.is_err() {
            remove_directory(made.as_deref());
        }
        instance
    }

    /// Makes the control socket, for its owner alone (MGMT-41).
    ///
    /// # Errors
    /// One sentence with the fix.
    pub(crate) fn bind(&self, socket: &Path) -> Result<(UnixListener, BoundSocket), NoInstance> {
        let shown = socket.display();
        match fs::symlink_metadata(socket) {
            // Whoever made it is dead: we hold the lock.
            Ok(found) if found.file_type().is_socket() => {
                fs::remove_file(socket).map_err(|error| {
                    NoInstance::of(&error, format!("cannot remove the old {shown}: {error}"))
                })?;
            }
            Ok(_) => {
                return Err(NoInstance::Wrong(format!(
                    "{shown} exists and is not a socket: remove it, or choose another path with --socket"
                )));
            }
            Err(_) => {}
        }
        // The socket must not be open to others for an instant, so its mode has to be right from the start.
        let mask = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(socket);
        nix::sys::stat::umask(mask);
        let listener = bound.map_err(|error| {
            NoInstance::of(
                &error,
                format!(
                    "cannot make the control socket {shown}: {}: choose another path with --socket",
                    plain(&error)
                ),
            )
        })?;
        let identity = fs::symlink_metadata(socket).ok().map(|found| (found.dev(), found.ino()));
        Ok((listener, BoundSocket { path: socket.to_owned(), identity }))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Removed while still locked: whoever waits for the lock notices that the file is no longer the path's.
        let _ = fs::remove_file(&self.lock_path);
        remove_directory(self.made.as_deref());
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path).ok().map(|found| (found.dev(), found.ino()));
        if found.is_some() && found == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What the system says, without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn make_directory(directory: &Path) -> Result<Option<PathBuf>, NoInstance> {
    let shown = directory.display();
    match DirBuilder::new().mode(0o755).create(directory) {
        Ok(()) => Ok(Some(directory.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(NoInstance::of(
            &error,
            format!(
                "cannot make the directory {shown}: {}: run it with sudo, or choose a path with --socket",
                plain(&error)
            ),
        )),
    }
}

fn remove_directory(made: Option<&Path>) {
    if let Some(directory) = made {
        // It stays if others use it as well.
        let _ = fs::remove_dir(directory);
    }
}

fn take_lock(path: &Path, socket: &Path) -> Result<Flock<File>, NoInstance> {
    let cannot = |error: io::Error| {
        let sentence = format!(
            "cannot write {}: {}: run it with sudo, or choose a path with --socket",
            path.display(),
            plain(&error)
        );
        NoInstance::of(&error, sentence)
    };
    // The holder of the lock may remove the file between our opening and locking it; then there is a new one.
    for _ in 0..16 {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(path)
            .map_err(cannot)?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                let _ = Read::by_ref(&mut file).take(16).read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => String::new(),
                    pid => format!(" (process {pid})"),
                };
                return Err(NoInstance::Wrong(format!(
                    "another noctule{holder} serves {}: stop it, or choose another path with --socket",
                    socket.display()
                )));
            }
            Err((_, errno)) => return Err(cannot(errno.into())),
        };
        let locked = lock.metadata().map_err(cannot)?;
        if fs::metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (locked.dev(), locked.ino()))
        {
            // Only a help for people: on a full disk the lock holds without it.
            let _ = lock
                .set_len(0)
                .and_then(|()| lock.rewind())
                .and_then(|()| writeln!(lock, "{}", std::process::id()));
            return Ok(lock);
        }
    }
    Err(cannot(io::ErrorKind::ResourceBusy.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("noctule-instance-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let socket = scratch(&"s".repeat(108));
        let refusal = Instance::lock(&socket).unwrap_err();
        assert!(matches!(&refusal, NoInstance::Wrong(_)), "{refusal:?}");
        let refusal = refusal.to_string();
        assert!(
            refusal.ends_with("107 are the most: choose a shorter one with --socket"),
            "{refusal}"
        );
    }

    #[test]
    fn a_second_daemon_is_told_of_the_first_and_nothing_is_left() {
        let directory = scratch("second");
        let socket = directory.join("bat0.sock");
        let first = Instance::lock(&socket).unwrap();
        let refusal = Instance::lock(&socket).unwrap_err().to_string();
        assert_eq!(
            refusal,
            format!(
                "another noctule (process {}) serves {}: stop it, or choose another path with --socket",
                std::process::id(),
                socket.display()
            )
        );
        let (listener, bound) = first.bind(&socket).unwrap();
        let mode = fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "MGMT-41: for its owner alone");
        drop((listener, bound));
        assert!(!socket.exists());
        drop(first);
        assert!(!directory.exists(), "what was made is removed");
        drop(Instance::lock(&socket).unwrap());
    }

    #[test]
    fn what_a_killed_daemon_left_is_taken_over() {
        let directory = scratch("killed");
        fs::create_dir(&directory).unwrap();
        let socket = directory.join("bat0.sock");
        fs::write(directory.join("bat0.sock.lock"), "99999999\n").unwrap();
        drop(UnixListener::bind(&socket).unwrap());
        assert!(socket.exists());
        let instance = Instance::lock(&socket).unwrap();
        let bound = instance.bind(&socket).unwrap();
        drop((bound, instance));
        assert!(directory.exists(), "it was there before");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::remove_dir(&directory).unwrap();
    }

    #[test]
    fn a_file_of_somebody_else_is_not_touched() {
        let directory = scratch("file");
        fs::create_dir(&directory).unwrap();
        let socket = directory.join("precious");
        fs::write(&socket, "data").unwrap();
        let instance = Instance::lock(&socket).unwrap();
        let refusal = instance.bind(&socket).unwrap_err().to_string();
        assert!(refusal.contains("is not a socket"), "{refusal}");
        drop(instance);
        assert_eq!(fs::read(&socket).unwrap(), b"data");
        fs::remove_dir_all(&directory).unwrap();
    }

    /// A node must forward, whatever /run is like; what another program has there is another matter.
    #[test]
    fn only_a_place_that_cannot_be_written_can_be_done_without() {
        for (number, unwritable) in [
            (libc::ENOSPC, true),
            (libc::EROFS, true),
            (libc::EDQUOT, true),
            (libc::EACCES, true),
            (libc::EPERM, true),
            (libc::ENOENT, true),
            (libc::EADDRINUSE, false),
            (libc::ENOTDIR, false),
            (libc::ELOOP, false),
        ] {
            let error = io::Error::from_raw_os_error(number);
            let outcome = NoInstance::of(&error, String::new());
            assert_eq!(matches!(outcome, NoInstance::Unwritable(_)), unwritable, "{error}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_gets_a_sentence() {
        let refusal = Instance::lock(Path::new("/proc/noctule/bat0.sock")).unwrap_err();
        assert!(matches!(&refusal, NoInstance::Unwritable(_)), "{refusal:?}");
        let refusal = refusal.to_string();
        assert!(refusal.starts_with("cannot make the directory /proc/noctule: "), "{refusal}");
        assert!(refusal.ends_with("choose a path with --socket"), "{refusal}");
    }
}
